import { assert, assertEquals } from "@std/assert";
import type { AttachedNexus } from "../../../lib/scsi/attached_nexus.ts";
import { nexusId } from "../../../lib/scsi/reservations/nexus_identity.ts";
import { type PersistentState, UNRESERVED } from "../../../lib/scsi/reservations/persistent_state.ts";
import { Reservations } from "../../../lib/scsi/reservations/reservations.ts";
import { FINISHED_GOOD } from "../../../lib/scsi/outcome/finished.ts";
import { Traffic } from "../../../lib/scsi/counters/traffic.ts";
import { until } from "../../support/until.ts";
import type { Attention } from "../../../lib/scsi/dispatch/unit_attention.ts";

const NEXUSES = 200;

/** A nexus that counts the reads of its identity. */
class CountingNexus implements AttachedNexus {
  readonly identity: AttachedNexus["identity"];
  readonly traffic = new Traffic();
  readonly attentions: Attention[] = [];
  looks = 0;

  constructor(index: number) {
    this.identity = { initiatorPort: `iqn.2007-01.tld.a:n${index},i,0x000000000000`, targetPort: 1 };
  }

  get id(): string {
    this.looks++;
    return nexusId(this.identity);
  }

  establish(attention: Attention): void {
    this.attentions.push(attention);
  }

  abortTasks(): undefined {}

  tasksEnded(): Promise<void> {
    return Promise.resolve();
  }

  preemptAndAbort(): undefined {}

  reset(): void {}
}

Deno.test("Reservations notify all affected nexuses, and read the identity of each a few times", () => {
  const nexuses = Array.from({ length: NEXUSES }, (_, index) => new CountingNexus(index));
  const reservations = new Reservations(new Set(nexuses), undefined);
  const [first] = nexuses;
  const key = "0000000000000001";
  const registering = { action: "registerAndIgnoreExistingKey", key, newKey: key, persists: false } as const;
  for (const { identity } of nexuses) reservations.perform(identity, registering, () => FINISHED_GOOD);
  for (const nexus of nexuses) nexus.looks = 0;
  reservations.perform(first!.identity, { action: "clear", key }, () => FINISHED_GOOD);
  assertEquals(nexuses.filter(({ attentions }) => attentions.length === 1).length, NEXUSES - 1);
  assertEquals(first!.attentions, []);
  assert(nexuses.every(({ looks }) => looks <= 4), `${Math.max(...nexuses.map(({ looks }) => looks))} looks`);
});

Deno.test("Reservations begin the requests that wait in their order, clear() among them", async () => {
  const saves: { readonly count: number; readonly end: () => void }[] = [];
  const save = ({ registrations: { size: count } }: PersistentState): Promise<void> =>
    new Promise((end) => saves.push({ count, end }));
  const reservations = new Reservations(new Set(), { saved: undefined, save });
  const ended: string[] = [];
  const register = (name: string): void => {
    const request = {
      action: "registerAndIgnoreExistingKey",
      key: "0000000000000001",
      persists: true,
    } as const;
    const identity = { initiatorPort: `iqn.2007-01.tld.a:${name},i,0x000000000000`, targetPort: 1 };
    reservations.perform(identity, { ...request, newKey: request.key }, () => {
      ended.push(name);
      return FINISHED_GOOD;
    });
  };
  register("a");
  register("b");
  const cleared = reservations.clear().then(() => ended.push("clear"));
  register("c");
  for (let turn = 0; turn < 4; turn++) {
    await until(() => saves.length === turn + 1, `request ${turn} is saved`);
    saves[turn]!.end();
  }
  await cleared;
  await until(() => ended.length === 4, "all have ended");
  assertEquals(saves.map(({ count }) => count), [1, 2, 0, 1]);
  assertEquals(ended, ["a", "b", "clear", "c"]);
});

Deno.test("a RESERVE that waits for clear() to be saved has what it was granted", async () => {
  const nexus = new CountingNexus(0);
  const saved = Promise.withResolvers<void>();
  const registered = new Map([[nexus.id, { ...nexus.identity, key: "0000000000000001" }]]);
  const state = { ...UNRESERVED, persists: true, registrations: registered };
  const reservations = new Reservations(new Set([nexus]), { saved: state, save: () => saved.promise });
  const cleared = reservations.clear();
  const operation = reservations.reserve(nexus);
  assert(operation.kind === "later");
  saved.resolve();
  assertEquals([await operation.operation, reservations.reserver], [FINISHED_GOOD, nexus.identity]);
  await cleared;
  assertEquals(reservations.reserver, nexus.identity);
});
