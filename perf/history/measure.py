#!/usr/bin/env python3
"""Searches and statistics over a large history: how long each takes.

    perf/history/measure.py http://HOST:PORT [ROUNDS]

Each kind is asked ROUNDS times (200 by default), one at a time over one connection, in turn with all
others, with other instances and other times each round. Prints median, 99th percentile and the longest
in milliseconds, and how many items came. The history is that of postgres.sql or sqlite.sql beside it.
"""

import http.client
import json
import random
import sys
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

BASE = 2251799813685248
INSTANCES = 5_000_000


def key():
    return str(BASE + 1000 + random.randint(1, INSTANCES) * 8)


def definition():
    # Squares end in few digits: these are the definitions that have instances.
    return random.choice([1, 2, 5, 6, 10, 17])


def moment():
    seconds = random.randint(3600, INSTANCES // 2 - 3600)
    return datetime.now(timezone.utc) - timedelta(seconds=seconds)


def iso(when):
    return when.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def newest_first(**more):
    return {"sort": [{"field": "startDate", "order": "DESC"}], **more}


def range_of_an_hour():
    begin = moment()
    return {"startDate": {"$gte": iso(begin), "$lt": iso(begin + timedelta(hours=1))}}


INSTANCE = "/v2/process-instances/search"
ELEMENT = "/v2/element-instances/search"
VARIABLE = "/v2/variables/search"
INCIDENT = "/v2/incidents/search"
KINDS = {
    "instances: first page": lambda: (INSTANCE, {}),
    "instances: newest first": lambda: (INSTANCE, newest_first()),
    "instances: ended last first": lambda: (INSTANCE, {"sort": [{"field": "endDate", "order": "DESC"}]}),
    "instances: by process id": lambda: (
        INSTANCE,
        {"sort": [{"field": "processDefinitionId", "order": "ASC"}]},
    ),
    "instances: active, newest first": lambda: (INSTANCE, newest_first(filter={"state": "ACTIVE"})),
    "instances: canceled, newest first": lambda: (INSTANCE, newest_first(filter={"state": "TERMINATED"})),
    "instances: completed": lambda: (INSTANCE, {"filter": {"state": "COMPLETED"}}),
    "instances: one key": lambda: (INSTANCE, {"filter": {"processInstanceKey": key()}}),
    "instances: one of three keys": lambda: (
        INSTANCE,
        {"filter": {"processInstanceKey": {"$in": [key(), key(), key()]}}},
    ),
    "instances: one process, newest first": lambda: (
        INSTANCE,
        newest_first(filter={"processDefinitionId": f"process-{definition()}"}),
    ),
    "instances: one definition, active": lambda: (
        INSTANCE,
        {"filter": {"processDefinitionKey": str(BASE + definition()), "state": "ACTIVE"}},
    ),
    "instances: one definition, completed, newest first": lambda: (
        INSTANCE,
        newest_first(filter={"processDefinitionKey": str(BASE + definition()), "state": "COMPLETED"}),
    ),
    "instances: began in one hour": lambda: (INSTANCE, {"filter": range_of_an_hour()}),
    "instances: began in one hour, newest first": lambda: (
        INSTANCE,
        newest_first(filter=range_of_an_hour()),
    ),
    "instances: business id": lambda: (
        INSTANCE,
        {"filter": {"businessId": f"order-{random.randint(1, INSTANCES)}"}},
    ),
    "instances: with a variable of a value": lambda: (
        INSTANCE,
        {"filter": {"variables": [{"name": "orderId", "value": f'"order-{random.randint(1, INSTANCES)}"'}]}},
    ),
    "instances: with incident": lambda: (INSTANCE, {"filter": {"hasIncident": True}}),
    "instances: with incident and message": lambda: (INSTANCE, {"filter": {"errorMessage": "no card"}}),
    "instances: item 9 900": lambda: (INSTANCE, newest_first(page={"from": 9900, "limit": 100})),
    "elements: of an instance": lambda: (ELEMENT, {"filter": {"processInstanceKey": key()}}),
    "elements: active": lambda: (ELEMENT, {"filter": {"state": "ACTIVE"}}),
    "elements: newest first": lambda: (ELEMENT, newest_first()),
    "elements: one element of a definition": lambda: (
        ELEMENT,
        {"filter": {"processDefinitionKey": str(BASE + definition()), "elementId": "task"}},
    ),
    "elements: with incident": lambda: (ELEMENT, {"filter": {"hasIncident": True}}),
    "variables: of an instance": lambda: (VARIABLE, {"filter": {"processInstanceKey": key()}}),
    "variables: one name": lambda: (VARIABLE, {"filter": {"name": "orderId"}}),
    "variables: name and value": lambda: (
        VARIABLE,
        {"filter": {"name": "orderId", "value": f'"order-{random.randint(1, INSTANCES)}"'}},
    ),
    "incidents: active": lambda: (INCIDENT, {"filter": {"state": "ACTIVE"}}),
    "statistics: elements of a definition": lambda: (
        f"/v2/process-definitions/{BASE + definition()}/statistics/element-instances",
        {},
    ),
    "statistics: elements of an instance": lambda: (
        f"/v2/process-instances/{key()}/statistics/element-instances",
        None,
    ),
    "statistics: instances of definitions": lambda: (
        "/v2/process-definitions/statistics/process-instances",
        {},
    ),
    "statistics: incidents by error": lambda: ("/v2/incidents/statistics/process-instances-by-error", {}),
}


def main():
    place = urlsplit(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=120)

    def ask(path, body):
        text = None if body is None else json.dumps(body)
        headers = {"content-type": "application/json"}
        began = time.perf_counter()
        connection.request("GET" if body is None else "POST", path, text, headers)
        answer = connection.getresponse()
        answered = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            print(f"{path} {text}: {answer.status} {answered[:300]!r}", file=sys.stderr)
        return took, json.loads(answered)

    times = {name: [] for name in KINDS}
    items = dict.fromkeys(KINDS, 0)
    times["instances: fifty pages on"] = []
    cursor = None
    for at in range(rounds):
        for name, kind in KINDS.items():
            took, answer = ask(*kind())
            times[name].append(took)
            items[name] = len(answer.get("items", []))
        page = {"limit": 100, **({"after": cursor} if cursor else {})}
        took, answer = ask(INSTANCE, newest_first(page=page))
        cursor = answer.get("page", {}).get("endCursor") if at % 50 < 49 else None
        times["instances: fifty pages on"].append(took)
    for name, took in times.items():
        took.sort()
        p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
        print(f"{name:52} p50 {took[len(took) // 2]:8.1f}  p99 {p99:8.1f}  max {took[-1]:8.1f}  items {items.get(name, 100)}")


main()
