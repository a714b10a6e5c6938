#include <deprov/connector/impl/connector.ipp>
#include <deprov/connector/impl/json.ipp>
#include <deprov/connector/impl/outcome.ipp>
