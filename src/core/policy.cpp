#include <deprov/policy/impl/plan.ipp>
#include <deprov/policy/impl/policy.ipp>
