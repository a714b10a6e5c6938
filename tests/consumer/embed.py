import sys

import deprov

# Usage: embed DIRECTORY. Makes an integration with an app that lives in a file, and hands it one request of an IdP.
with deprov.Engine(sys.argv[1] if len(sys.argv) > 1 else "./data") as engine:
    acme = engine.create_workspace("acme", owner="owner")
    wiki = engine.create_integration(acme.local, "Wiki", idp="okta", connector="null")
    answer = engine.call("GET", wiki.scim_base_path + "/Users?count=1",
                         {"Authorization": "Bearer " + wiki.scim_token})
    print(answer.status, answer.body.decode())  # or mount deprov.wsgi.Application(engine) in a server of yours
