#include <deprov/idp/impl/change.ipp>
