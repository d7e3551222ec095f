/** The register of sessions: limits and searches, without looking at other sessions. */
import { assertEquals, assertThrows } from "@std/assert";
import type { SessionIdentity } from "../../../lib/iscsi/login/identity.ts";
import { ServerTotals } from "../../../lib/iscsi/node/server_totals.ts";
import { SessionRegister } from "../../../lib/iscsi/node/session_register.ts";
import type { Session } from "../../../lib/iscsi/session/session.ts";
import type { Target } from "../../../lib/iscsi/target.ts";
import { numberFromEnvironment, seededRandom } from "../../support/seeded_random.ts";

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

const SEED = numberFromEnvironment("FUZZ_SEED", 20261201);

Deno.test(`SessionRegister finds the sessions that a search finds, after any changes (FUZZ_SEED=${SEED})`, () => {
  const random = seededRandom(SEED);
  const { register, others } = new Bench(0);
  const targets = [undefined, {} as Target, {} as Target];
  const sessions: Session[] = [];
  const remove = (session: Session): void => {
    sessions.splice(sessions.indexOf(session), 1);
    register.delete(session);
    // Its connections end later.
    register.countConnections(session, -1);
  };
  const begin = (): void => {
    const target = targets[random(3)];
    const identity = {
      ...identityOf(`iqn.2026-01.a:${random(4)}`, target === undefined),
      isid: random(2),
      discoveredName: target === undefined && random(2) === 0 ? "iqn.2026-01.b:t" : undefined,
    };
    const ends = { ...ENDS, localAddress: `192.0.2.${random(2)}` };
    const predecessor = sessions.find(({ identity: theirs, ends: { localAddress }, ...other }) =>
      theirs.initiatorName === identity.initiatorName && theirs.isid === identity.isid &&
      other.target === target && theirs.discoveredName === identity.discoveredName &&
      (target !== undefined || identity.discoveredName !== undefined || localAddress === ends.localAddress)
    );
    assertEquals(register.predecessorOf(identity, target, ends)?.tsih, predecessor?.tsih);
    if (predecessor !== undefined) remove(predecessor);
    const tsih = register.newTsih();
    const session = { tsih, identity, target, ends, connections: new Map() } as unknown as Session;
    sessions.push(session);
    register.add(session);
  };
  const changeConnections = (): void => {
    const session = sessions[random(sessions.length)];
    const connections = session?.connections as Map<number, unknown> | undefined;
    if (session === undefined || connections === undefined) return;
    const before = connections.size;
    if (random(2) === 0) connections.set(random(3), {});
    else connections.delete(random(3));
    register.countConnections(session, connections.size - before);
  };
  const end = (): void => {
    const session = sessions[random(sessions.length)];
    if (session !== undefined) remove(session);
  };
  for (let step = 0; step < 2_000; step++) {
    [begin, changeConnections, end][random(3)]!();
    register.publish();
    const tsihs = (found: Iterable<Session>): number[] => [...found].map(({ tsih }) => tsih);
    assertEquals(tsihs(register), tsihs(sessions));
    for (const target of targets.slice(1)) {
      const own = sessions.filter((session) => session.target === target);
      assertEquals(tsihs(register.with(target!)), tsihs(own));
      assertEquals(register.hasAnyWith(target!), own.length > 0);
    }
    for (const name of [0, 1, 2, 3].map((number) => `iqn.2026-01.a:${number}`)) {
      const own = sessions.filter(({ identity }) => identity.initiatorName === name);
      assertEquals(tsihs(register.of(name)), tsihs(own));
    }
    const withTargets = sessions.filter(({ target }) => target !== undefined);
    const connections = withTargets.reduce((sum, session) => sum + session.connections.size, 0);
    assertEquals(others.others, { sessions: withTargets.length, connections });
  }
});
