/** The register of sessions: limits and searches, without looking at other sessions. */
import { assertEquals, assertThrows } from "@std/assert";
import type { SessionIdentity } from "../../../lib/iscsi/login/identity.ts";
import { ServerTotals } from "../../../lib/iscsi/node/server_totals.ts";
import { SessionRegister } from "../../../lib/iscsi/node/session_register.ts";
import type { Session } from "../../../lib/iscsi/session/session.ts";
import type { Target } from "../../../lib/iscsi/target.ts";

const TARGET = {} as Target;
const ENDS = { localAddress: "192.0.2.1", localPort: 3260, peerAddress: "192.0.2.2" };
const LIMITS = { sessions: 2_000, connections: 2_000, discoverySessions: 16 };

/** A register with sessions of different initiators, and the number of times that it has looked at one of them. */
class Bench {
  readonly others: ServerTotals;
  readonly register: SessionRegister;
  looks = 0;

  constructor(count: number, limits = LIMITS) {
    const memory = ServerTotals.memory();
    this.register = new SessionRegister(limits, new ServerTotals(memory, 0));
    this.others = new ServerTotals(memory, 1);
    for (let index = 0; index < count; index++) this.begin(`iqn.2026-01.a:${index}`);
    this.looks = 0;
  }

  /** Adds a session with a connection, which counts all looks at it. */
  begin(initiatorName: string, isDiscovery = false): Session {
    const target = isDiscovery ? undefined : TARGET;
    const connections = new Map<number, unknown>();
    const session = {
      tsih: this.register.newTsih(),
      identity: identityOf(initiatorName, isDiscovery),
      target,
      connections,
      ends: ENDS,
    };
    const counted = new Proxy(session as unknown as Session, {
      get: (object, name): unknown => {
        this.looks++;
        return Reflect.get(object, name);
      },
    });
    this.register.add(counted);
    connections.set(0, {});
    this.register.countConnections(counted, 1);
    return counted;
  }

  /** The counts that the other workers see. */
  get published(): { readonly sessions: number; readonly connections: number } {
    return this.others.others;
  }
}

function identityOf(initiatorName: string, isDiscovery = false): SessionIdentity {
  const targetName = isDiscovery ? undefined : "iqn.2026-01.b:t";
  return { initiatorName, targetName, discoveredName: undefined, isid: 7, proved: undefined };
}

Deno.test("SessionRegister looks at no other session when one begins and ends", () => {
  const bench = new Bench(500);
  const identity = identityOf("iqn.2026-01.a:new");
  assertEquals(bench.register.predecessorOf(identity, TARGET, ENDS), undefined);
  bench.register.pickVictim(identity, 0);
  bench.register.checkRoom(identity, undefined);
  assertEquals(bench.looks, 0);
  const session = bench.begin(identity.initiatorName);
  const looks = bench.looks;
  assertEquals(bench.register.predecessorOf(identity, TARGET, ENDS)?.tsih, session.tsih);
  assertEquals(bench.register.of(identity.initiatorName).length, 1);
  bench.register.delete(session);
  assertEquals(bench.register.hasAnyWith(TARGET), true);
  // A handful for the session itself: the same number beside one other.
  const few = new Bench(1);
  const alone = few.begin(identity.initiatorName);
  assertEquals(looks, few.looks);
  few.register.delete(alone);
});

Deno.test("SessionRegister publishes the sessions and connections with targets", () => {
  const bench = new Bench(3);
  assertEquals(bench.published, { sessions: 3, connections: 3 });
  const session = bench.begin("iqn.2026-01.a:more");
  bench.begin("iqn.2026-01.a:more", true);
  bench.register.countConnections(session, 1);
  assertEquals(bench.published, { sessions: 4, connections: 5 });
  bench.register.countConnections(session, -1);
  bench.register.delete(session);
  // The connection of an ended session leaves later, and is counted no longer.
  bench.register.countConnections(session, -1);
  assertEquals(bench.published, { sessions: 3, connections: 3 });
  assertEquals(bench.register.of("iqn.2026-01.a:more").length, 1);
});

Deno.test("SessionRegister counts the session that a new one reinstates as room", () => {
  const bench = new Bench(2, { ...LIMITS, sessions: 2 });
  const identity = identityOf("iqn.2026-01.a:1");
  assertThrows(() => bench.register.checkRoom(identity, undefined), Error, "limit of 2 sessions");
  assertEquals(bench.published, { sessions: 2, connections: 2 });
  const predecessor = bench.register.predecessorOf(identity, TARGET, ENDS);
  bench.register.checkRoom(identity, predecessor);
  assertEquals(bench.published, { sessions: 2, connections: 2 });
});
