import { assert, assertEquals } from "@std/assert";
import type { AttachedNexus } from "../../../lib/scsi/attached_nexus.ts";
import { nexusId } from "../../../lib/scsi/reservations/nexus_identity.ts";
import { Reservations } from "../../../lib/scsi/reservations/reservations.ts";
import { FINISHED_GOOD } from "../../../lib/scsi/outcome/finished.ts";
import { Traffic } from "../../../lib/scsi/counters/traffic.ts";
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
