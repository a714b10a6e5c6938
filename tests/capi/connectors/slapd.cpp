#include "capi/connectors/slapd.hpp"
#include <signal.h>
#include <sys/stat.h>
#include <filesystem>
#include "catch.hpp"
#include "support/program.hpp"
#include "support/test_server.hpp"

namespace deprov::test {

namespace {

constexpr const char* suffix = "dc=example,dc=com";

std::string person(const std::string& uid, const std::string& name, const std::string& more = {}) {
  return "dn: uid=" + uid +
         ",ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: shadowAccount\nuid: " + uid +
         "\ncn: " + name + "\nsn: " + name + "\nmail: " + uid +
         "@example.com\nshadowFlag: 512\nuserPassword: secret-of-" + uid + "\n" + more + "\n";
}

std::string people() {
  std::string out = R"(dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
ou: groups

dn: cn=deprov,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: deprov
userPassword: secret-of-deprov

dn: cn=default,dc=example,dc=com
objectClass: device
objectClass: pwdPolicy
cn: default
pwdAttribute: userPassword
pwdLockout: TRUE

dn: cn=blind,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: blind
userPassword: secret-of-blind

dn: cn=reader,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: secret-of-reader

)";
  out += person("ann", "Ann", "employeeNumber: E-1\n");
  out += person("bob", "Bob");
  out += person("cyd", "Cyd");
  out += person("dan", "Dan", "mail: shared@example.com\n");
  out += person("eve", "Eve", "mail: shared@example.com\n");
  out += person("o'neil (x)*", "O'Neil");  // a name of which a filter would be another one
  for (int i = 0; i < 40; ++i) out += person("crowd" + std::to_string(i), "Crowd");
  out += R"(dn: cn=staff,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: staff
member: uid=ann,ou=people,dc=example,dc=com
member: uid=bob,ou=people,dc=example,dc=com
member: uid=cyd,ou=people,dc=example,dc=com

dn: cn=admins,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: admins
member: uid=ann,ou=people,dc=example,dc=com
member: uid=bob,ou=people,dc=example,dc=com
member: uid=cyd,ou=people,dc=example,dc=com

dn: cn=lonely,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: lonely
member: uid=dan,ou=people,dc=example,dc=com

dn: cn=shell,ou=groups,dc=example,dc=com
objectClass: posixGroup
cn: shell
gidNumber: 1000
memberUid: ann
memberUid: bob

)";
  return out;
}

}  // namespace

std::string Slapd::program() {
  return first_program(
      {"/usr/sbin/slapd", "/usr/lib/openldap/slapd", "/usr/libexec/slapd", "/usr/libexec/openldap/slapd"});
}

Slapd::Slapd()
    : certificate_(dir_.path()), slapd_(dir_.file("slapd")), ldaps_(closed_port()), ldap_(closed_port()) {
  // Where AppArmor confines the one in its place, it may read nothing of a test's.
  std::filesystem::copy_file(program(), slapd_);
  std::filesystem::create_directory(dir_.file("db"));
  std::string conf;
  for (const auto* schema : {"core", "cosine", "inetorgperson", "nis"})
    conf += std::string("include /etc/ldap/schema/") + schema + ".schema\n";
  if (std::filesystem::exists("/usr/lib/ldap"))
    conf += "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload ppolicy\n";
  conf += "pidfile " + dir_.file("pid") + "\nTLSCACertificateFile " + certificate_.certificate +
          "\nTLSCertificateFile " + certificate_.certificate + "\nTLSCertificateKeyFile " + certificate_.key +
          "\nsizelimit 10\ndatabase mdb\nsuffix \"" + suffix + "\"\nrootdn \"cn=root," + suffix +
          "\"\nmaxsize 67108864\ndirectory " + dir_.file("db") +
          "\noverlay ppolicy\nppolicy_default \"cn=default,dc=example,dc=com\"\n"
          "limits dn.exact=\"cn=deprov,dc=example,dc=com\" size.soft=10 size.hard=10 size.prtotal=unlimited\n"
          "access to attrs=userPassword by anonymous auth by * none\n"
          "access to * by dn.exact=\"cn=deprov,dc=example,dc=com\" write by "
          "dn.exact=\"cn=reader,dc=example,dc=com\" read "
          "by * none\n";
  write_file(dir_.file("slapd.conf"), conf);
  write_file(dir_.file("people.ldif"), people());
  (void)output_of({slapd_, "-T", "add", "-f", dir_.file("slapd.conf"), "-l", dir_.file("people.ldif")});
  start();
}

void Slapd::start() {
  process_.emplace(std::vector<std::string>{slapd_, "-d", "0", "-f", dir_.file("slapd.conf"), "-h",
                                            "ldaps://127.0.0.1:" + std::to_string(ldaps_) +
                                                " ldaps://127.0.0.2:" + std::to_string(ldaps_) +
                                                " ldap://127.0.0.1:" + std::to_string(ldap_)},
                   dir_.file("log"));
  const bool up = eventually([&] { return listens(ldaps_) && listens(ldap_); });
  INFO(log());
  REQUIRE(up);
}

void Slapd::stop() {
  process_->end(SIGTERM);
  process_.reset();
}

std::string Slapd::stored(const std::string& filter) const {
  return output_of({slapd_, "-T", "cat", "-f", dir_.file("slapd.conf"), "-a", filter, "-o", "ldif-wrap=no"});
}

std::string Slapd::log() const { return read_file(dir_.file("log")); }

boost::json::object Slapd::config() const {
  return {{"url", "ldaps://127.0.0.1:" + std::to_string(ldaps_)},
          {"ca_file", certificate_.certificate},
          {"bind_dn", "cn=deprov,dc=example,dc=com"},
          {"bind_password", "secret-of-deprov"},
          {"base_dn", "ou=people,dc=example,dc=com"},
          {"attributes", {{"external_id", "employeeNumber"}}},
          {"disable", {{"attribute", "pwdAccountLockedTime"}, {"disabled", "000001010000Z"}}},
          {"groups", {{"base_dn", "ou=groups,dc=example,dc=com"}}}};
}

}  // namespace deprov::test
