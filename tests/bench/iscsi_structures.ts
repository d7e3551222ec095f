import type { ConnectionEnds } from "../../lib/iscsi/byte_stream.ts";
import { sendTargets } from "../../lib/iscsi/node/discovery.ts";
import { FailedLogins } from "../../lib/iscsi/node/failed_logins.ts";
import { pickVictim, sourceOf } from "../../lib/iscsi/node/login_eviction.ts";
import { ServedTargets } from "../../lib/iscsi/node/served_targets.ts";
import { ServerTotals } from "../../lib/iscsi/node/server_totals.ts";
import { RepetitionFilter } from "../../lib/iscsi/events/repetition_filter.ts";
import type { Frame } from "../../lib/iscsi/pdu/header.ts";
import { CommandWindow } from "../../lib/iscsi/session/command_window.ts";
import type { Session } from "../../lib/iscsi/session/session.ts";
import type { Target } from "../../lib/iscsi/target.ts";
import { WorkUnderWay } from "../../lib/iscsi/work_under_way.ts";
import { encodeText, TextPieces } from "../../lib/iscsi/pdu/text.ts";
import type { ItlNexus } from "../../lib/scsi/itl_nexus.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { Harness, nameOf, TEST_UNIT_READY } from "../support/harness.ts";
import type { Initiator } from "../support/initiator.ts";
import { testUnitReady } from "../support/initiator_cdb.ts";
import { emptyStore } from "./empty_store.ts";
import { type Operation, scattered, type Structure } from "./structure.ts";

const ENDS: ConnectionEnds = { localAddress: "10.0.0.1", localPort: 3260, peerAddress: "10.0.0.2" };
const INITIATOR = "iqn.2026-01.a:one";

/** Returns a node with so many sessions, each of another initiator, and one more. */
async function nodeWith(count: number): Promise<{ readonly harness: Harness; readonly one: Initiator }> {
  const limit = count + 10;
  const harness = new Harness({ sessions: limit, connections: limit });
  for (let index = 0; index < count; index++) await logIn(harness, `iqn.2026-01.a:${index}`);
  return { harness, one: await logIn(harness, INITIATOR) };
}

async function logIn(harness: Harness, initiatorName: string): Promise<Initiator> {
  const initiator = await harness.logIn({ initiatorName });
  await initiator.command({ cdb: testUnitReady() });
  return initiator;
}

function naaOf(index: number): string {
  return `3${index.toString(16).padStart(15, "0")}`;
}

/** Returns so many targets that everyone may use, of which the first has the name `disk`. */
function servedTargets(count: number): ServedTargets {
  const targets = Array.from({ length: count }, (_, index) => {
    const name = index === 0 ? "disk" : `t${index}`;
    const config = { name, iscsiName: nameOf(name), networks: [], initiators: [], port: ENDS.localPort };
    return { config } as unknown as Target;
  });
  const chap = { chap: undefined, chapMinimum: "md5" } as const;
  return new ServedTargets({ targets, elsewhere: [], interfaces: [], chap });
}

const DISCOVERY = {
  identity: { initiatorName: INITIATOR, targetName: undefined },
  target: undefined,
} as unknown as Session;

const FRAME: Frame = { header: new Uint8Array(48), data: new Uint8Array(), hasDataDigestError: false };
const RECEIVER = { hasRoom: true, carryOut: () => {}, wake: () => {} };

/** The structures of `lib/iscsi`. */
export const ISCSI_STRUCTURES: readonly Structure[] = [
  {
    name: "session: a command beside n sessions",
    counts: [10, 100, 1_000],
    async prepare(count): Promise<Operation> {
      const { one } = await nodeWith(count);
      return () => one.command(TEST_UNIT_READY);
    },
  },
  {
    name: "session: log in and out beside n sessions",
    counts: [10, 100, 1_000],
    async prepare(count): Promise<Operation> {
      const { harness, one } = await nodeWith(count);
      await one.logout();
      return async () => await (await harness.logIn({ initiatorName: INITIATOR })).logout();
    },
  },
  {
    name: "copy: find a LUN among those of n sessions",
    counts: [10, 100, 1_000],
    async prepare(count): Promise<Operation> {
      const targets = Array.from({ length: count }, (_, index) => ({
        name: `t${index}`,
        naa: naaOf(index),
        stores: [emptyStore(1024 ** 2)],
      }));
      const harness = new Harness({ targets, sessions: count, connections: count });
      for (const { name } of targets) {
        await harness.logIn({ initiatorName: INITIATOR, targetName: nameOf(name) });
      }
      const [nexus] = harness.units.get("t0")![0]!.nexuses;
      const naa = naaOf(count - 1);
      return (): void => {
        if ((nexus as ItlNexus).reach(naa) === undefined) throw new Error("The LUN is in reach");
      };
    },
  },
  {
    name: "login: pick one to close, n in login (of at most 64)",
    counts: [1, 10, 64],
    prepare(count): Operation {
      const candidates = new Map(
        Array.from({ length: count }, (_, index) => [{ isIdentified: false }, `10.0.0.${index}`]),
      );
      return () => pickVictim(candidates, sourceOf("10.0.1.1"));
    },
  },
  {
    name: "login: count a failure, n addresses (of at most 1,024)",
    counts: [10, 100, 1_000],
    prepare(count): Operation {
      const failures = new FailedLogins(new FakeClock());
      const next = scattered(count);
      return () => failures.add(`10.0.0.${next()}`);
    },
  },
  {
    name: "handles: take and return one, n in use",
    counts: [100, 1_000, 10_000],
    prepare(count): Operation {
      const totals = new ServerTotals(ServerTotals.memory(), 0);
      let last = 0;
      for (let index = 0; index < count; index++) last = totals.takeTsih(last);
      return (): void => {
        last = totals.takeTsih(last);
        totals.freeTsih(last);
      };
    },
  },
  {
    name: "log: one event of n peers (of at most 256)",
    counts: [2, 20, 200],
    prepare(count): Operation {
      const filter = new RepetitionFilter(() => {}, new FakeClock());
      const next = scattered(count);
      return () =>
        filter.write({
          level: "warning",
          message: "",
          details: { event: "peerFault", peer: `10.0.0.${next()}` },
        });
    },
  },
  {
    name: "work: abort a command beside n pieces of work",
    counts: [10, 100, 1_000],
    async prepare(count): Promise<Operation> {
      const work = new WorkUnderWay();
      for (let index = 0; index < count; index++) {
        work.add({ lun: 0, changesMedium: true, done: new Promise(() => {}) }, index);
      }
      await Promise.resolve();
      return () => void work.settled(0);
    },
  },
  {
    name: "window: hold and carry out a command, n held (of at most 128)",
    counts: [1, 10, 100],
    prepare(count): Operation {
      let now = 1;
      const window = new CommandWindow(now);
      const outstanding = (): void => window.open(0);
      for (let held = 1; held <= count; held++) window.hold(now + held, held, FRAME, RECEIVER);
      return (): void => {
        window.advance();
        window.release();
        now++;
        outstanding();
        window.hold(now + count, now + count, FRAME, RECEIVER);
      };
    },
  },
  {
    name: "window: data for a held command, n held (of at most 128)",
    counts: [1, 10, 100],
    prepare(count): Operation {
      const window = new CommandWindow(1);
      for (let held = 1; held <= count; held++) window.hold(1 + held, held, FRAME, RECEIVER);
      return () => window.holdData(count + 1, FRAME, RECEIVER);
    },
  },
  {
    name: "text: SendTargets of one name beside n targets",
    counts: [10, 100, 1_000],
    prepare(count): Operation {
      const targets = servedTargets(count);
      return () => sendTargets(targets, ENDS, DISCOVERY, nameOf());
    },
  },
  {
    name: "text: the proof of a refused login, n targets",
    counts: [10, 100, 1_000],
    prepare(count): Operation {
      const targets = servedTargets(count);
      return () => targets.proofOfRefused;
    },
  },
  {
    name: "text: the next PDU of a list of n targets",
    counts: [100, 1_000, 10_000],
    prepare(count): Operation {
      const list = encodeText(
        Array.from({ length: count }, (_, index) => ["TargetName", nameOf(`t${index}`)]),
      );
      let pieces = new TextPieces(list);
      return (): unknown => {
        if (pieces.done) pieces = new TextPieces(list);
        return pieces.take(512);
      };
    },
  },
  {
    name: "text: SendTargets=All with n targets (grows with the answer)",
    counts: [10, 100, 1_000],
    prepare(count): Operation {
      const targets = servedTargets(count);
      return () => encodeText(sendTargets(targets, ENDS, DISCOVERY, "All")!);
    },
  },
];
