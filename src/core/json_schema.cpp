#include <deprov/impl/json_schema.ipp>
