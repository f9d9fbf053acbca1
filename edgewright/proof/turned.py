"""Settings turned over in memory: which there are follows from the model, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, get_args

from pydantic import ValidationError

from edgewright.model import resolve
from edgewright.model.deployment import Deployment
from edgewright.model.directory import PolicyKind
from edgewright.model.policy import AllowedDomain, BlockedDomain, Policies
from edgewright.model.setting import PolicyObject, Setting

TAG = "edgewright-proof"
"""Name of the user policy that a flip grants; it exists only in memory and, meanwhile, in tables."""

Candidate = tuple[str, str, Deployment]
"""Its name, in words, and the deployment with it."""


def candidates(deployment: Deployment, subject: str, domains: Sequence[str] = ()) -> Iterator[Candidate]:
    """Every setting turned over by itself: of the organisation, of `subject`, of providers, of `domains`."""
    policies = deployment.policies
    for name, value in turned(policies.access_edge):
        changed = policies.access_edge.model_copy(update={name: value})
        yield name, f"{name}: {_word(value)}", with_policies(deployment, access_edge=changed)
    yield from _of_user(deployment, subject)
    yield from _of_providers(deployment)
    for domain in domains:
        yield from _of_domain(deployment, domain)


def with_policies(deployment: Deployment, **changed: Any) -> Deployment:
    """The deployment with other policies."""
    return replace(deployment, policies=deployment.policies.model_copy(update=changed))


def switched_on(deployment: Deployment) -> Deployment:
    """The deployment with those switches of the organisation on that are off."""
    edge = deployment.policies.access_edge
    switches = {name: value for name, value in turned(edge) if value is True}
    return with_policies(deployment, access_edge=edge.model_copy(update=switches))


def turned(policy: PolicyObject) -> Iterator[tuple[str, Any]]:
    """Each setting that can change a decision, with another value: a stricter one, else the opposite.

    What the model would refuse is left out: it cannot be described.
    """
    for name, field in type(policy).model_fields.items():
        setting = next((m for m in field.metadata if isinstance(m, Setting)), None)
        if setting is None or setting.direction in ("neutral", "selects"):
            continue
        value = getattr(policy, name)
        stricter = setting.stricter(value)
        other = stricter[0] if stricter else not value if isinstance(value, bool) else None
        if other is not None and _possible(policy, name, other):
            yield name, other


def _possible(policy: PolicyObject, name: str, value: Any) -> bool:
    try:
        type(policy).model_validate({**policy.model_dump(by_alias=True), name: value})
    except ValidationError:
        return False
    return True


def _of_user(deployment: Deployment, subject: str) -> Iterator[Candidate]:
    """The settings of the policies that are effective for one of ours; the account itself."""
    policies, directory = deployment.policies, deployment.directory
    user, who = directory.users[subject], subject.partition("@")[0]

    def with_user(update: dict[str, Any] | None) -> Deployment:
        users = {a: u for a, u in directory.users.items() if a != subject}
        if update is not None:
            users[subject] = user.model_copy(update=update)
        return replace(
            deployment, directory=directory.model_copy(update={"users": dict(sorted(users.items()))})
        )

    for kind in get_args(PolicyKind):
        mine, _ = resolve.effective(deployment, kind, subject)
        scoped = getattr(policies, kind)
        for name, value in turned(mine):
            tagged = {**scoped.user, TAG: mine.model_copy(update={name: value})}
            granted = with_user({"policies": {**user.policies, kind: TAG}})
            yield (
                name,
                f"{kind} policy of {who}, {name}: {_word(value)}",
                with_policies(granted, **{kind: scoped.model_copy(update={"user": tagged})}),
            )
    yield (
        "enabled",
        f"{who}'s account, enabled: {_word(not user.enabled)}",
        with_user({"enabled": not user.enabled}),
    )
    yield "removed", f"{who} is not in the directory", with_user(None)


def _of_providers(deployment: Deployment) -> Iterator[Candidate]:
    for kind in ("public_providers", "hosting_providers"):
        providers: dict[str, PolicyObject] = getattr(deployment.policies, kind)
        for provider, policy in providers.items():
            for name, value in turned(policy):
                changed = {**providers, provider: policy.model_copy(update={name: value})}
                yield (
                    f"{provider}-{name}",
                    f"{provider}, {name}: {_word(value)}",
                    with_policies(deployment, **{kind: changed}),
                )


def _of_domain(deployment: Deployment, domain: str) -> Iterator[Candidate]:
    """The domain in or out of the lists."""
    policies: Policies = deployment.policies
    lists = (
        ("blocked_domains", BlockedDomain, "blocked", "unblocked"),
        ("allowed_domains", AllowedDomain, "allowed", "unlisted"),
    )
    for field, entry, listed, unlisted in lists:
        before = getattr(policies, field)
        others = tuple(one for one in before if one.domain != domain)
        if len(others) < len(before):
            name, words, after = unlisted, f"not {listed}", others
        else:
            name, words, after = listed, listed, (*others, entry(domain=domain))
        yield f"{name}-{domain}", f"{domain} is {words}", with_policies(deployment, **{field: after})


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
