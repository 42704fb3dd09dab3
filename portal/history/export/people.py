"""Who triggered a run, as a line of history says it."""

from portal.history.export.stored import Row
from portal.history.parsing.readers import Values
from portal.workspaces.people import identify


def triggered_by(person: Row | None, given: object, emails: bool) -> Values | None:
    """The person such that an import makes the same of it: same id, same name.

    `given` is what the line said that told of the run, where more than these fields. Addresses are left out
    unless `emails`; one that stands for a name, as pages show it, stays.
    """
    if person is None:
        return None
    said: Values = dict(given) if isinstance(given, dict) else {}
    email = person["email"] if emails else None
    said.pop("email", None)
    fallbacks = (email, person["source_id"], str(person["user_id"]))
    named = person["name"] is not None or person["display_name"] not in fallbacks
    known = {
        "id": person["source_id"] if str(said.get("id")) != person["source_id"] else said["id"],
        "name": person["display_name"] if named else None,
        "email": email,
        "kind": person["kind"],
    }
    said |= {key: value for key, value in known.items() if value is not None}
    found = identify(known["id"] and str(known["id"]), known["name"], email)
    if found is None or found.user_id != person["user_id"]:
        said["id"] = str(person["user_id"])
    return said
