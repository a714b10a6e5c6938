#include <deprov/policy/impl/guard.ipp>
#include <deprov/policy/impl/plan.ipp>
#include <deprov/policy/impl/policy.ipp>
#include <deprov/policy/impl/preview.ipp>
#include <deprov/policy/impl/protection.ipp>
#include <deprov/policy/impl/rules.ipp>
