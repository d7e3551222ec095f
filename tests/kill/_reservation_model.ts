/** The reservations of a LUN as two initiators expect them, which register with APTPL. */
import type { Random } from "../support/seeded_random.ts";
import { type Client, EXCLUSIVE_REGISTRANTS, type ReserveAction } from "../crash/_client.ts";

/** Registered keys in the order of READ KEYS, and the key of the holder. */
interface State {
  readonly keys: readonly string[];
  readonly holder: string | undefined;
}

const KEY_DIGITS = 16;

/** Reads the text that `readReservations` makes. */
export function parseState(text: string): State {
  const [keys = "", reservation = ""] = text.split("/");
  return {
    keys: keys.match(new RegExp(`.{${KEY_DIGITS}}`, "g")) ?? [],
    holder: reservation === "" ? undefined : reservation.slice(0, KEY_DIGITS),
  };
}

/** Returns a state as `readReservations` makes a text of it. */
export function formatState({ keys, holder }: State): string {
  const type = EXCLUSIVE_REGISTRANTS.toString(16).padStart(2, "0");
  return `${keys.join("")}/${holder === undefined ? "" : `${holder}0000000000${type}0000`}`;
}

/** A request, and the state that it leads to. */
interface Step {
  readonly action: ReserveAction;
  readonly otherKey?: string;
  readonly next: State;
}

/** Returns the requests that the owner of a key can make, and where they lead. */
export function stepsOf({ keys, holder }: State, key: string): Step[] {
  const others = keys.filter((other) => other !== key);
  if (!keys.includes(key)) {
    return [{ action: "registerAndIgnore", otherKey: key, next: { keys: [...keys, key], holder } }];
  }
  const steps: Step[] = [
    { action: "clear", next: { keys: [], holder: undefined } },
    ...others.map((otherKey): Step => ({
      action: "preempt",
      otherKey,
      next: { keys: keys.filter((other) => other !== otherKey), holder: holder === otherKey ? key : holder },
    })),
  ];
  if (holder === undefined) steps.push({ action: "reserve", next: { keys, holder: key } });
  if (holder === key) steps.push({ action: "release", next: { keys, holder: undefined } });
  return steps;
}

/** An initiator that has a key. */
export interface Owner {
  readonly client: Client;
  readonly key: string;
}

/** Makes requests for ever, one at a time, from a state on; rejects when the server is gone. */
export async function keepReserving(
  owners: readonly Owner[],
  lun: number,
  start: string,
  random: Random,
): Promise<never> {
  let state = parseState(start);
  while (true) {
    const { client, key } = random.pick(owners);
    const { action, otherKey = "", next } = random.pick(stepsOf(state, key));
    const ownKey = action === "registerAndIgnore" ? "" : key;
    const leadsTo = formatState(next);
    const found = await client.reserveOut(action, { key: ownKey, otherKey, lun, leadsTo });
    if (found !== leadsTo) throw new Error(`${action} led to ${found} and not to ${leadsTo}`);
    state = next;
  }
}
