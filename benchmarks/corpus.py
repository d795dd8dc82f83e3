"""Strategy bullets by the hundred thousand: seeded, varied, in the words of the fields that agents work in.

A bullet is one of nine sentence shapes filled from the word lists of one field (fifteen of them), with numbers,
identifiers and a reason drawn at random. Two bullets seldom share more than half their parts, so the
near-duplicates are few, as in a playbook that a Curator keeps. The same `(n, seed)` gives the same list, and a
longer list begins with the shorter one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One line of work: what its tasks are about, what is done there, what goes wrong."""

    tasks: tuple[str, ...]
    things: tuple[str, ...]
    acts: tuple[str, ...]
    faults: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|"))


FIELDS: tuple[Field, ...] = (
    Field(
        tasks=_words("a financial ratio | XBRL tagging | a bond valuation | an earnings footnote | a lease schedule"
                     " | an amortisation table | a working-capital question | a dividend forecast"),
        things=_words("current liabilities | the effective interest rate | deferred revenue | the coupon payment"
                      " | goodwill | restricted stock units | operating income | the credit facility | preferred shares"
                      " | inventory turnover | retained earnings | the discount rate"),
        acts=_words("divide the total by the average balance | convert the percentage to a decimal"
                    " | annualise the quarterly figure | subtract the non-controlling interest | round only at the end"
                    " | read the unit in the table header | discount each cash flow separately"
                    " | check whether the amount is in thousands | use the weighted average share count"),
        faults=_words("mixing book value with market value | rounding an intermediate result"
                      " | confusing a maturity with a vesting period | counting a stock split twice"
                      " | taking net income where EBIT was asked for | tagging a rate as an amount"),
    ),
    Field(
        tasks=_words("a SQL report | a schema migration | a slow query | a data import | a deduplication job"
                     " | a reporting view | a foreign-key repair"),
        things=_words("the orders table | a composite index | NULL values | the transaction log | a window function"
                      " | the partition key | time zones in timestamps | a materialised view | the staging table"
                      " | duplicate customer rows"),
        acts=_words("look at the query plan before adding an index | filter before joining | use COALESCE on both sides"
                    " | run the statement in a transaction and count the rows | backfill in batches"
                    " | quote identifiers with capital letters | compare row counts on both sides"
                    " | replace the correlated subquery with a join"),
        faults=_words("an outer join turned into an inner one by a WHERE clause | counting rows multiplied by a join"
                      " | a lock held for minutes | integer division dropping the cents"
                      " | comparing dates as strings | deleting without a WHERE clause"),
    ),
    Field(
        tasks=_words("a failing Python test | a refactoring | a memory leak | a packaging problem | an import cycle"
                     " | a type error | a flaky integration test"),
        things=_words("mutable default arguments | the event loop | a generator | the virtual environment"
                      " | a dataclass | the context manager | relative imports | a weak reference | floating-point sums"
                      " | the test fixture"),
        acts=_words("reproduce it in the smallest script | read the whole traceback from the bottom up"
                    " | pin the random seed | run the single test with verbose output | add a regression test first"
                    " | close the file in a with block | compare floats with a tolerance"
                    " | bisect the history to the first bad commit"),
        faults=_words("catching a broad exception | patching the wrong module | sharing state between tests"
                      " | shadowing a standard module | forgetting to await a coroutine"
                      " | editing a list while iterating over it"),
    ),
    Field(
        tasks=_words("a music playlist request | a message to a contact | a calendar entry | a shopping order"
                     " | a payment between friends | a to-do list | a file clean-up in the app world"),
        things=_words("the access token | the paginated list | the user's contacts | the shared album"
                      " | the recurring event | the cart | the payment request | the search endpoint | deleted notes"
                      " | the phone number"),
        acts=_words("log in and keep the token for later calls | walk through every page until an empty one"
                    " | read the API's documentation before the first call | ask for the smallest field set"
                    " | verify the result with a second read | use the identifier and never the display name"
                    " | call complete_task once everything is checked"),
        faults=_words("stopping at the first page | guessing a parameter's name | sending the same request twice"
                      " | answering with a name where an id was wanted | trusting a cached list"
                      " | acting on the wrong account"),
    ),
    Field(
        tasks=_words("a customer refund | a shipping complaint | a subscription change | an angry ticket"
                     " | a warranty claim | an account recovery | a billing dispute"),
        things=_words("the order number | the refund window | the loyalty tier | the delivery address"
                      " | a partial refund | the escalation path | the promotional code | proof of purchase"
                      " | the return label"),
        acts=_words("confirm the identity before reading out details | quote the policy in one sentence"
                    " | offer the replacement first | apologise once and move to the remedy"
                    " | write down the promised date | look for an earlier ticket | ask one question at a time"),
        faults=_words("promising what the policy forbids | asking for information already given"
                      " | closing the ticket before the refund is booked | copying an internal note to the customer"
                      " | overlooking that the item was a gift"),
    ),
    Field(
        tasks=_words("a word problem | a geometry proof | a probability exercise | a system of equations"
                     " | a number-theory puzzle | a combinatorics question | an integral"),
        things=_words("the denominator | the sample space | similar triangles | the remainder | an absolute value"
                      " | complementary events | the boundary case | the leading coefficient | symmetric pairs"
                      " | the common factor"),
        acts=_words("name the unknowns before writing an equation | test the answer on a small case"
                    " | draw the figure and label it | count the complement instead | check both signs of the root"
                    " | keep fractions exact | substitute the result back | look for an invariant"),
        faults=_words("dividing by an expression that may be zero | counting ordered pairs as unordered"
                      " | dropping a unit | assuming independence | forgetting the endpoint of an interval"
                      " | treating a percentage change as additive"),
    ),
    Field(
        tasks=_words("a Kubernetes rollout | an on-call alert | a certificate renewal | a disk that fills up"
                     " | a DNS change | a container that restarts | a capacity forecast"),
        things=_words("the readiness probe | resource limits | the ingress controller | the node pool | the secret"
                      " | the log volume | the load balancer | the error budget | the rollback plan"
                      " | persistent volume claims"),
        acts=_words("read the events before the logs | drain the node first | lower the TTL a day ahead"
                    " | roll back first and look for the cause later | compare with the last good release"
                    " | silence the alert with an end time | raise the limit in small steps"),
        faults=_words("restarting away the evidence | changing two things at once | a probe that checks a dependency"
                      " | a secret printed to the log | scaling the wrong deployment"
                      " | trusting an average where a percentile matters"),
    ),
    Field(
        tasks=_words("a medication list | a discharge summary | a lab result | a triage note | a dosage calculation"
                     " | a prior authorisation | a clinical coding task"),
        things=_words("the creatinine clearance | allergies | the patient's weight | the ICD-10 code | milligrams per"
                      " kilogram | the reference range | drug interactions | the admission date | vital signs"),
        acts=_words("convert the weight to kilograms | cite the line of the chart | flag values outside the range"
                    " | list the generic name | ask a clinician when the sources disagree"
                    " | code to the highest specificity | separate history from present illness"),
        faults=_words("reading a ruled-out diagnosis as present | mixing micrograms and milligrams"
                      " | using an outdated lab value | coding a symptom beside its cause"
                      " | leaving out the route of administration"),
    ),
    Field(
        tasks=_words("a contract review | a privacy request | a licence question | a patent summary"
                     " | a compliance check | a non-disclosure agreement | a terms-of-service change"),
        things=_words("the governing law | the indemnity clause | personal data | the notice period | the liability cap"
                      " | the effective date | the assignment clause | third-party components | the retention period"),
        acts=_words("quote the clause with its number | compare the definition section first"
                    " | state what the text does not settle | list the deadlines in order"
                    " | check for a conflicting annex | name the party that carries the duty"),
        faults=_words("reading a recital as an obligation | overlooking a carve-out | treating silence as consent"
                      " | citing a repealed version | confusing termination with expiry"),
    ),
    Field(
        tasks=_words("a flight booking | an itinerary | a hotel change | a visa question | a car rental"
                     " | a missed connection | a group reservation"),
        things=_words("the layover | the baggage allowance | the passport's expiry | the fare class | the time zone"
                      " | the cancellation fee | the seat map | travel insurance | the minimum connection time"),
        acts=_words("show all prices with taxes | confirm dates in the local time of departure"
                    " | offer the cheapest and the fastest option | read the fare rules before changing a ticket"
                    " | hold the booking until the traveller agrees | check the name against the passport"),
        faults=_words("booking before the user confirmed | mixing up arrival and departure dates"
                      " | ignoring the airport change in a connection | forgetting an infant in the passenger count"
                      " | quoting a price without its currency"),
    ),
    Field(
        tasks=_words("a web form | a scraping job | a checkout page | a search on a shop site | a log-in flow"
                     " | a table spread over pages | a browser automation"),
        things=_words("the cookie banner | a lazy-loaded list | the submit button | an iframe | the drop-down menu"
                      " | the pagination link | hidden fields | the session | the captcha | the sort order"),
        acts=_words("wait for the element and not for a fixed time | scroll until the count stops growing"
                    " | select by role or label | take a snapshot after each click"
                    " | read the price from the detail page"
                    " | sort by the criterion before reading the first row | go back instead of reloading"),
        faults=_words("clicking an element that moved | reading a stale page | filling the search box twice"
                      " | taking the sponsored result | losing the session on a redirect"),
    ),
    Field(
        tasks=_words("a literature summary | a fact check | a citation list | a multi-hop question"
                     " | a comparison of two studies | a timeline | an open-domain question"),
        things=_words("the primary source | the publication date | the sample size | conflicting claims | the abstract"
                      " | the confidence interval | the author's affiliation"
                      " | a secondary quotation | the control group"),
        acts=_words("search for each hop separately | quote before paraphrasing | prefer the newest review"
                    " | say when no source supports the claim | resolve the pronoun to an entity first"
                    " | check the figure against the table | note the date of access"),
        faults=_words("answering from memory where a source was asked for | merging two people of one name"
                      " | citing the press release | taking correlation for cause | stopping after the first hop"),
    ),
    Field(
        tasks=_words("a sensor calibration | a robot pick-and-place | a PLC fault | a 3D-print failure"
                     " | a wiring diagram | a motor that stalls | a vibration analysis"),
        things=_words("the torque limit | the ground wire | the sampling rate | the gripper force | the limit switch"
                      " | thermal drift | the feed rate | the emergency stop | backlash"),
        acts=_words("home the axes before moving | measure with the load attached | halve the speed near the target"
                    " | log the raw signal beside the filtered one | isolate the power first"
                    " | repeat the reading three times | tighten in a cross pattern"),
        faults=_words("trusting an uncalibrated sensor | aliasing at half the sampling rate"
                      " | a unit mix-up between degrees and radians | moving with the guard open"
                      " | reading the setpoint as the measured value"),
    ),
    Field(
        tasks=_words("a translation | a product description | a meeting summary | a press release | a rewrite for"
                     " children | a technical manual | a subtitle file"),
        things=_words("the glossary | honorifics | the reading level | the passive voice | brand names | line length"
                      " | idioms | numbers and dates | the call to action | gendered nouns"),
        acts=_words("keep the placeholder tokens untouched | translate the meaning and not the word"
                    " | open with the decision | cut adjectives before facts | use the term the glossary gives"
                    " | keep each subtitle under two lines | attribute each statement to its speaker"),
        faults=_words("translating a proper name | losing a negation | mixing formal and informal address"
                      " | adding a fact that is not in the source | changing the decimal separator"),
    ),
    Field(
        tasks=_words("a crop plan | an energy audit | a weather briefing | a supply forecast | a warehouse count"
                     " | a delivery route | a production schedule"),
        things=_words("the lead time | the safety stock | peak demand | the growing season | soil moisture"
                      " | the batch size | the loading dock | driver hours | the tariff period | seasonal indices"),
        acts=_words("plan backwards from the due date | compare with the same week last year"
                    " | group the stops by postcode | keep a buffer for the slowest step | weigh a sample"
                    " | separate trend from season | reserve capacity for urgent orders"),
        faults=_words("counting goods in transit twice | planning to full capacity | ignoring the change-over time"
                      " | averaging over holidays | mixing net and gross weight"),
    ),
)  # fmt: skip

REASONS = _words(
    "because the checker compares exact strings | since the first attempt usually misses it"
    " | because earlier answers failed on exactly this | as the grader rejects anything else"
    " | because the source mixes both conventions | since retries are expensive | because users notice it at once"
    " | as later steps depend on it | because the documentation is out of date here"
    " | since the default is rarely what is wanted | because the two look alike | as it cannot be undone"
)
TOOLS = _words(
    "search | get_page | run_query | list_items | fetch_document | calculator | show_profile | update_record"
    " | send_message | read_sheet | lookup_code | export_csv | plan_route | get_balance | diff_versions"
)
WHENS = _words(
    "before anything else | after the first result | at the very end | whenever the input is ambiguous"
    " | when two sources disagree | once per task | if the value looks too large | when the list is empty"
    " | as soon as an error appears | only when asked"
)

Shape = Callable[[Field, random.Random], str]


def _pick(parts: tuple[str, ...], rng: random.Random) -> str:
    return parts[rng.randrange(len(parts))]


def _two(parts: tuple[str, ...], rng: random.Random) -> tuple[str, str]:
    first, second = rng.sample(parts, 2)
    return first, second


def _when_then(f: Field, rng: random.Random) -> str:
    return f"When {_pick(f.tasks, rng)} involves {_pick(f.things, rng)}, {_pick(f.acts, rng)}."


def _avoid(f: Field, rng: random.Random) -> str:
    return f"In {_pick(f.tasks, rng)}, avoid {_pick(f.faults, rng)}: {_pick(f.acts, rng)} {_pick(WHENS, rng)}."


def _two_steps(f: Field, rng: random.Random) -> str:
    first, second = _two(f.acts, rng)
    return f"For {_pick(f.tasks, rng)}: first {first}, then {second}, {_pick(REASONS, rng)}."


def _tool(f: Field, rng: random.Random) -> str:
    return (
        f"Call {_pick(TOOLS, rng)} with limit={rng.randrange(1, 500)} to read {_pick(f.things, rng)}; "
        f"{_pick(f.acts, rng)} {_pick(WHENS, rng)}."
    )


def _number(f: Field, rng: random.Random) -> str:
    return (
        f"If {_pick(f.things, rng)} is off by more than {rng.randrange(1, 99)} % in {_pick(f.tasks, rng)}, "
        f"suspect {_pick(f.faults, rng)} and {_pick(f.acts, rng)}."
    )


def _prefer(f: Field, rng: random.Random) -> str:
    first, second = _two(f.things, rng)
    return f"Settle {first} before {second} in {_pick(f.tasks, rng)}, {_pick(REASONS, rng)}."


def _mistake(f: Field, rng: random.Random) -> str:
    first, second = _two(f.faults, rng)
    return f"A common mistake with {_pick(f.things, rng)} is {first}; another is {second}."


def _example(f: Field, rng: random.Random) -> str:
    low, high = rng.randrange(2, 900), rng.randrange(1000, 90000)
    return (
        f"Example from {_pick(f.tasks, rng)}: with {_pick(f.things, rng)} at {high} and {_pick(f.things, rng)} at "
        f"{low}, {_pick(f.acts, rng)}; the answer was {high / low:.2f}."
    )


def _long(f: Field, rng: random.Random) -> str:
    first, second = _two(f.acts, rng)
    return (
        f"{_pick(WHENS, rng).capitalize()}, {first}, and write down {_pick(f.things, rng)} with its source. "
        f"{second.capitalize()} {_pick(REASONS, rng)}; {_pick(f.faults, rng)} cost {rng.randrange(2, 40)} points "
        f"in {_pick(f.tasks, rng)}."
    )


SHAPES: tuple[Shape, ...] = (_when_then, _avoid, _two_steps, _tool, _number, _prefer, _mistake, _example, _long)


def strategy_bullets(n: int, seed: int = 0) -> list[str]:
    """`n` different bullets, 6 to 60 words each."""
    distinct: dict[str, None] = {}
    for text in _endless(seed):
        if len(distinct) == n:
            break
        distinct.setdefault(text)
    return list(distinct)


def task_queries(n: int, seed: int = 1) -> list[str]:
    """`n` task texts as an agent would be given them, about the same fields; repeats are possible."""
    rng = random.Random(f"queries {seed}")
    return [_query(FIELDS[rng.randrange(len(FIELDS))], rng) for _ in range(n)]


def _query(f: Field, rng: random.Random) -> str:
    return (
        f"I have {_pick(f.tasks, rng)} to do, number {rng.randrange(1000, 9999)}. "
        f"What about {_pick(f.things, rng)} and {_pick(f.things, rng)}?"
    )


def _endless(seed: int) -> Iterator[str]:
    rng = random.Random(seed)
    while True:
        field = FIELDS[rng.randrange(len(FIELDS))]
        yield SHAPES[rng.randrange(len(SHAPES))](field, rng)
