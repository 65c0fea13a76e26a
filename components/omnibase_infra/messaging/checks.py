"""What is refused before any resource exists, all of it together."""

import re
from collections import Counter

from omnibase_infra.config import topics as follow
from omnibase_infra.config.messaging import USABLE_PERCENT
from omnibase_infra.messaging.args import MessageBusArgs
from omnibase_infra.messaging.permissions import CONTROLLER_CLIENT
from omnibase_infra.naming import dns_label
from omnibase_infra.network import party_problems

_DIGEST = re.compile(r"^[^@\s]+@sha256:[0-9a-f]{64}$")
_LONGEST_NAME = 40  # `<name>-topic-<stream>` and `<name>-<number>` must stay DNS labels


def problems(name: str, args: MessageBusArgs) -> list[str]:
    """Every reason why a bus cannot be."""
    return [*_name(name), *_images(args), *_sizes(args), *_storage(args), *_topics(args), *_clients(args)]


def _name(name: str) -> list[str]:
    try:
        dns_label(name)
    except ValueError as error:
        return [str(error)]
    if len(name) > _LONGEST_NAME:
        return [f"name {name!r} has {len(name)} characters, at most {_LONGEST_NAME} leave room for its children"]
    return []


def _images(args: MessageBusArgs) -> list[str]:
    images = {"image": args["image"], "controller_image": args["controller_image"]}
    return [
        f"{field}={image!r} has no digest; use registry/name:tag@sha256:<64 hex digits>"
        for field, image in images.items()
        if isinstance(image, str) and not _DIGEST.match(image)
    ]


def _sizes(args: MessageBusArgs) -> list[str]:
    servers, copies = int(args["servers"]), int(args["copies"])
    bounds = {
        "servers": (servers, 1, 9),
        "copies": (copies, 1, 5),
        "storage_gib": (int(args["storage_gib"]), 1, 16_384),
        "memory_mib": (int(args["memory_mib"]), 64, 524_288),
        "controller_memory_mib": (int(args["controller_memory_mib"]), 32, 524_288),
        "credential_generation": (int(args.get("credential_generation", 1)), 1, 1_000_000),
    }
    found = [
        f"{field}={value} is outside {low}..{high}"
        for field, (value, low, high) in bounds.items()
        if not low <= value <= high
    ]
    if copies > servers:
        found.append(f"copies={copies} needs {copies} servers, there are {servers}")
    if servers % 2 == 0:
        found.append(f"servers={servers} must be odd: an even number survives no more losses than {servers - 1}")
    return found


def _storage(args: MessageBusArgs) -> list[str]:
    sizes = [int(topic["max_mib"]) + int(topic["dead_letter_mib"]) for topic in args["topics"]]
    needed = (sum(sizes) + follow.OWN_MIB) * int(args["copies"])
    room = int(args["storage_gib"]) * 1024 * USABLE_PERCENT // 100 * int(args["servers"])
    if needed <= room:
        return []
    return [f"topics may grow to {needed} MiB, but {args['servers']} servers hold {room} MiB; raise storage_gib"]


def _topics(args: MessageBusArgs) -> list[str]:
    counts = Counter(topic["topic"] for topic in args["topics"])
    found = [f"topic {topic} is declared {count} times" for topic, count in counts.items() if count > 1]
    letters = Counter(follow.dead_letters(topic) for topic in counts)
    found += [f"{count} topics share the dead letters {topic}" for topic, count in letters.items() if count > 1]
    found += [f"topic {topic['topic']} has no publisher" for topic in args["topics"] if not topic["publishers"]]
    return found


def _clients(args: MessageBusArgs) -> list[str]:
    known = [client["name"] for client in args["clients"]]
    found = [f"client {name!r} is named twice" for name, count in Counter(known).items() if count > 1]
    found += [f"client {name!r} is the bus's own" for name in (CONTROLLER_CLIENT, follow.OPERATORS) if name in known]
    for client in args["clients"]:
        try:
            dns_label(client["name"])
        except ValueError as error:
            found.append(str(error))
        for other in client.get("others", []):
            found += party_problems(f"client {client['name']}, {other['name']}", other)
        if "party" in client:
            found += party_problems(f"client {client['name']}", client["party"])
    for number, reader in enumerate(args.get("readers", [])):
        found += party_problems(f"readers[{number}]", reader)
    for topic in args["topics"]:
        named = [*topic["publishers"], *(consumer["client"] for consumer in topic.get("consumers", []))]
        found += [f"{topic['topic']}: {name!r} is no client of the bus" for name in named if name not in known]
    return found
