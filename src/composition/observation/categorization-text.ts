// Writes what a categorization found as a line of the effect log. Texts come from clients and directories: bounded here.
import type {
  AddressFinding,
  CategorizationEffect,
  ConsideredBinding,
} from "../../events/categorize-effects.ts";
import type { AddressLine, CategorizationLine, ConsideredLine } from "../../observe/effect-lines.ts";

const MAX_TEXT = 300;
const MAX_BINDINGS = 100;

/** The fields of a line behind those of the message. */
export function categorizationText(effect: CategorizationEffect): string {
  const { bindings, findings, findingCount, recipients, copies, end, why } = effect;
  const fields: Pick<CategorizationLine, "categorization" | "end" | "why" | "forks"> = {
    categorization: {
      bindings: bindings.slice(0, MAX_BINDINGS).map(consideredLine),
      addresses: findings.map(addressLine),
      addressCount: findingCount,
      recipients,
    },
    end,
    why: why && cut(why),
    forks: copies.length === 0 ? undefined : copies,
  };
  return JSON.stringify(fields).slice(1, -1);
}

const consideredLine = ({ name, priority, passedOver }: ConsideredBinding): ConsideredLine => ({
  name: cut(name),
  priority,
  passedOver,
});

function addressLine(finding: AddressFinding): AddressLine {
  const { asked, behind, answer, entry, limits, end, address, targets, targetCount, reply } = finding;
  return {
    asked: cut(asked),
    behind: behind && cut(behind),
    answer,
    entry: entry && { kind: entry.kind, key: cut(entry.key) },
    limits: limits.length === 0 ? undefined : limits,
    end,
    address: address && cut(address),
    targets: targetCount === 0 ? undefined : targets.map(cut),
    targetCount: targetCount === 0 ? undefined : targetCount,
    reply: reply && cut(reply),
  };
}

const cut = (text: string): string => text.slice(0, MAX_TEXT);
