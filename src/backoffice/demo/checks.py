"""What the demo claims. Each check is a function over the facts: it returns nothing when the claim holds, else what is
wrong. A fact that is missing is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backoffice.demo.facts import Facts
from backoffice.kernel.money import parse_minor

PLANTED = {
    (36, "worker_external_id"),
    (114, "hours"),
    (251, "external_id"),
}
BLOCKED = "no_bank_account"
STORY = ("created", "calculated", "ready", "approved", "paid")

Finding = str | None


@dataclass(frozen=True, slots=True)
class Check:
    """A claim in a sentence, and how it is checked."""

    claim: str
    holds: Callable[[Facts], Finding]

    def __call__(self, facts: Facts) -> Finding:
        try:
            return self.holds(facts)
        except (KeyError, IndexError, TypeError, ValueError, StopIteration) as missing:
            return f"it was not found out ({type(missing).__name__}: {missing})"


CHECKS: list[Check] = []


def claims(claim: str) -> Callable[[Callable[[Facts], Finding]], Callable[[Facts], Finding]]:
    """Register a check under its claim."""

    def register(holds: Callable[[Facts], Finding]) -> Callable[[Facts], Finding]:
        CHECKS.append(Check(claim, holds))
        return holds

    return register


def cents(money: Mapping[str, Any]) -> int:
    return parse_minor(money["amount"])


@claims("the front office played the day to its end")
def played_to_the_end(facts: Facts) -> Finding:
    status = facts.front_office_status
    return None if status == 0 else f"it ended with exit status {status}"


@claims("every worker of the file went in")
def workers_went_in(facts: Facts) -> Finding:
    rows = facts.told["workers"]
    if rows["created"] == rows["total"] == facts.northwind_expected and not rows["failed"]:
        return None
    return f"{rows['created']} of {facts.northwind_expected} were created, {rows['failed']} refused"


@claims("the three bad rows of the timesheets were refused, each with row, column and reason, and no other")
def bad_rows_refused(facts: Facts) -> Finding:
    told = facts.told["timesheets"]
    found = {(fault["row"], fault["column"]) for fault in told["refused"]}
    if found != PLANTED:
        return f"refused were {sorted(found)}"
    if not all(fault["detail"] and fault["code"] for fault in told["refused"]):
        return "a refusal gives no reason"
    rows = told["rows"]
    if rows["failed"] != len(PLANTED) or rows["created"] + rows["updated"] + rows["failed"] != rows["total"]:
        return f"of {rows['total']} rows {rows['created']} went in and {rows['failed']} were refused"
    return None


@claims("the one blocker was the missing bank account, and mending it through the API removed it")
def blocker_mended(facts: Facts) -> Finding:
    told = facts.told["blockers"]
    before = [each["code"] for each in told["before"] if each["severity"] == "blocking"]
    after = [each["code"] for each in told["after"] if each["severity"] == "blocking"]
    return None if before == [BLOCKED] and not after else f"before: {before}, after: {after}"


@claims("the preview said to the cent what the calculation then did")
def preview_is_reality(facts: Facts) -> Finding:
    previewed = next(each["after"] for each in facts.told["preview"] if each["kind"] == "payroll_calculated")
    said, done = _amounts(previewed), _amounts(facts.told["calculated"]["run"]["totals"])
    return None if said == done and said["net"] > 0 else f"preview {said}, run {done}"


@claims("a worker process was killed in the middle of the calculation, and another one finished it")
def killed_in_the_middle(facts: Facts) -> Finding:
    kill = facts.kill
    if kill is None:
        return "no worker was killed while it calculated"
    if not 0 < kill.done < kill.total:
        return f"it was killed at {kill.done} of {kill.total}"
    if kill.state != "succeeded" or kill.crashes != 1:
        return f"the job {kill.state}, with {kill.crashes} crashes counted"
    return None if kill.finished_by not in (None, kill.worker) else "the job says it ended where it was killed"


@claims("nothing was lost and nothing doubled: one paycheck for each worker with approved hours")
def nothing_lost_or_doubled(facts: Facts) -> Finding:
    paid = Counter(check["worker_id"] for check in facts.told["calculated"]["paychecks"])
    worked = set(facts.told["hours"]["workers"])
    doubled = sorted(worker for worker, count in paid.items() if count > 1)
    lost, extra = sorted(worked - set(paid)), sorted(set(paid) - worked)
    if doubled or lost or extra or not worked:
        return f"doubled: {doubled}, lost: {lost}, without hours: {extra}, of {len(worked)}"
    count = facts.told["calculated"]["run"]["paycheck_count"]
    return None if count == len(worked) else f"the run counts {count} paychecks, there are {len(worked)}"


@claims("every paycheck is gross less taxes, and the run is the sum of its paychecks")
def paychecks_add_up(facts: Facts) -> Finding:
    calculated = facts.told["calculated"]
    checks, totals = calculated["paychecks"], calculated["run"]["totals"]
    wrong = [
        each["id"] for each in checks if cents(each["gross"]) - cents(each["employee_taxes"]) != cents(each["net"])
    ]
    if wrong:
        return f"these do not add up: {wrong}"
    sums = {name: sum(cents(each[name]) for each in checks) for name in totals}
    return None if checks and sums == _amounts(totals) else f"paychecks {sums}, run {_amounts(totals)}"


@claims("the derivation leads to the paycheck's net pay, and every line of it cites the law")
def derivation_explains(facts: Facts) -> Finding:
    told = facts.told["derivation"]
    lines = told["derived"]["lines"]
    by_kind: dict[str, int] = {}
    for line in lines:
        kind = line["code"] if line["code"] == "gross_pay" else line["kind"]
        by_kind[kind] = by_kind.get(kind, 0) + parse_minor(line["amount"])
    net = cents(told["paycheck"]["net"])
    if not by_kind["gross_pay"] == by_kind["earning"] == by_kind["employee_tax"] + by_kind["net"]:
        return f"it does not add up: {by_kind}"
    if by_kind["net"] != net:
        return f"it leads to {by_kind['net']} cents, the paycheck says {net}"
    uncited = [
        line["code"] for line in lines if not line["citation"] or not all(step["rule"] for step in line["steps"])
    ]
    return f"without a citation: {uncited}" if uncited else None


@claims("the maker was refused with either of his keys: a second person is required")
def maker_refused(facts: Facts) -> Finding:
    told = [(each["key"], each["status"], each["code"]) for each in facts.told["refusals"]]
    wanted = [(key, 403, "second_person_required") for key in ("first", "second")]
    return None if told == wanted else f"refusals: {told}"


@claims("another person approved the run, and it is paid")
def approved_by_another(facts: Facts) -> Finding:
    run = facts.told["paid"]["run"]
    if run["status"] != "paid":
        return f"the run is {run['status']}"
    people = run["created_by"], run["approved_by"]
    return None if all(people) and people[0] != people[1] else f"made and approved by {people}"


@claims("the bank file pays every net pay: its entries, batch control and file control agree with the run")
def bank_file_agrees(facts: Facts) -> Finding:
    file, net = facts.told["bank_file"], cents(facts.told["paid"]["run"]["totals"]["net"])
    totals = {file["total"], file["batch_total"], file["file_total"]}
    payable = sum(cents(each["net"]) > 0 for each in facts.told["calculated"]["paychecks"])
    if totals != {net} or file["entries"] != payable or not file["hash_holds"]:
        return f"file {file}, net {net}, paychecks {payable}"
    return None


@claims("every paycheck has its pay stub as PDF")
def stubs_are_there(facts: Facts) -> Finding:
    stubs = Counter(stub["paycheck"] for stub in facts.told["stubs"])
    wanted = Counter(each["id"] for each in facts.told["calculated"]["paychecks"])
    if stubs != wanted:
        return f"missing {len(wanted - stubs)}, too many {len(stubs - wanted)}"
    broken = [stub["paycheck"] for stub in facts.told["stubs"] if not stub["pdf"]]
    return f"no PDF: {broken}" if broken else None


@claims("the ledger balances: one transaction for each paycheck, debits equal credits")
def ledger_balances(facts: Facts) -> Finding:
    totals = facts.told["trial_balance"]["totals"]
    if [cents(each["debits"]) for each in totals] != [cents(each["credits"]) for each in totals] or not totals:
        return f"totals {totals}"
    posted = Counter(each["source"] for each in facts.told["ledger"]["transactions"])
    missing = [each["id"] for each in facts.told["calculated"]["paychecks"] if posted[each["id"]] != 1]
    return f"not posted exactly once: {missing}" if missing else None


@claims("every tax liability in the ledger is what the run owes")
def liabilities_agree(facts: Facts) -> Finding:
    owed = {each["account"]: cents(each["total"]) for each in facts.told["liabilities"]["data"]}
    posted = {
        line["code"]: -cents(line["balance"])
        for line in facts.told["trial_balance"]["data"]
        if line["code"].startswith("liabilities.tax.")
    }
    wrong = sorted(code for code in owed.keys() | posted.keys() if owed.get(code, 0) != posted.get(code, 0))
    return None if owed and not wrong else f"differ: {wrong}"


@claims("money in equals money out, to the cent")
def money_in_is_money_out(facts: Facts) -> Finding:
    money = money_of(facts)
    return None if money["in"] == money["out"] > 0 else f"in {money['in']}, out {money['out']} cents"


def money_of(facts: Facts) -> dict[str, int]:
    """Cents. In: what the firm owes for the run (its receivable). Out: the bank file and every tax liability."""
    balance = {line["code"]: cents(line["balance"]) for line in facts.told["trial_balance"]["data"]}
    out = {"net": facts.told["bank_file"]["file_total"], "taxes": cents(facts.told["liabilities"]["total"])}
    return {"in": balance["assets.client_receivable"], "out": sum(out.values()), **out}


@claims("every webhook was signed as it should be, none was refused")
def webhooks_verified(facts: Facts) -> Finding:
    told = facts.told["webhooks"]
    if told["rejected"] or told["verified"] < len(told["events"]) or not told["events"]:
        return f"{told['verified']} verified, {told['rejected']} refused, {len(told['events'])} events"
    return None


@claims("their numbers run from 1 without a gap and without a double")
def webhooks_complete(facts: Facts) -> Finding:
    events = facts.told["webhooks"]["events"]
    numbers = sorted(event["sequence"] for event in events)
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        return f"{len(numbers)} numbers from {numbers[:1]} to {numbers[-1:]}"
    return None if len({event["id"] for event in events}) == len(events) else "an event came under two numbers"


@claims("they tell the run once each as created, calculated, ready, approved, paid, in that order")
def webhooks_tell_the_run(facts: Facts) -> Finding:
    events = sorted(facts.told["webhooks"]["events"], key=lambda event: int(event["sequence"]))
    told = [event["type"].removeprefix("payroll_run.") for event in events if event["type"].startswith("payroll_run.")]
    return None if told == list(STORY) else f"told were {told}"


@claims("they announce every stub and the bank file")
def webhooks_announce_documents(facts: Facts) -> Finding:
    told = sum(event["type"] == "document.available" for event in facts.told["webhooks"]["events"])
    wanted = len(facts.told["calculated"]["paychecks"]) + 1
    return None if told == wanted else f"{told} of {wanted}"


@claims("Harbor's key is answered 404 for every one of Northwind's ids, like an id that never was")
def harbor_sees_nothing(facts: Facts) -> Finding:
    if not facts.foreign:
        return "no id was asked for"
    absent = [each.id for each in facts.foreign if each.owner_status != 200]
    seen = [each.id for each in facts.foreign if each.status != 404 or not each.same_as_unknown]
    if seen:
        return f"answered otherwise: {seen}"
    return f"its owner does not find: {absent}" if absent else None


@claims("Harbor sees its own workers, and no others")
def harbor_sees_its_own(facts: Facts) -> Finding:
    found, wanted = Counter(facts.harbor_workers), Counter(facts.harbor_expected)
    return None if wanted and found == wanted else f"{len(facts.harbor_workers)} of {len(facts.harbor_expected)}"


@claims("no log line holds a Social Security or account number of the files")
def logs_are_clean(facts: Facts) -> Finding:
    if not facts.logs_read:
        return "no log was read"
    return f"found in {facts.personal_in_logs}" if facts.personal_in_logs else None


def _amounts(totals: Mapping[str, Any]) -> dict[str, int]:
    return {name: cents(money) for name, money in totals.items() if isinstance(money, Mapping)}
