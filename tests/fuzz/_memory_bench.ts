/** A node over media in memory, which shows all that it holds. Its operator ends sessions. */
import { assertEquals } from "@std/assert";
import type { ChapConfig } from "../../lib/config/chap.ts";
import { Secret } from "../../lib/config/secret.ts";
import type { ByteRange } from "../../lib/store/byte_range.ts";
import type { FakeClock } from "../support/fake_clock.ts";
import type { Initiator } from "../support/initiator.ts";
import { MemoryStore } from "../support/memory_store.ts";
import type { ByteStream } from "../support/pipe.ts";
import { SlowStore } from "../support/slow_store.ts";
import { ENDS, Harness, nameOf } from "../support/harness.ts";
import { type FuzzBench, MEDIUM_BYTES, WITNESS_TARGET } from "./_fuzz_bench.ts";
import { CREDENTIALS, GUARDED, MOVED, WITNESS_NAME } from "./_login_grammar.ts";
import type { Random } from "../support/seeded_random.ts";
import type { StoreWrite } from "./_sent_writes.ts";
import { until } from "../support/until.ts";

/** A store that shows what is written to it. */
class WatchedStore extends MemoryStore {
  readonly writes: StoreWrite[] = [];
  readonly #lun: number;

  constructor(lun: number) {
    super({ sizeBytes: MEDIUM_BYTES });
    this.#lun = lun;
  }

  override writeNow(offset: number, from: Uint8Array): boolean {
    this.writes.push({ lun: this.#lun, offset, bytes: from.slice() });
    return super.writeNow(offset, from);
  }

  override async unmap(ranges: readonly ByteRange[]): Promise<void> {
    for (const { offset } of ranges) this.writes.push({ lun: this.#lun, offset, bytes: Uint8Array.of(0) });
    await super.unmap(ranges);
  }
}

const SECRET = new Secret(new TextEncoder().encode(CREDENTIALS.secret));
const CHAP: ChapConfig = {
  accounts: new Map([[CREDENTIALS.name, { name: CREDENTIALS.name, secret: SECRET, initiators: [] }]]),
  mutual: undefined,
};

/** A node over media in memory. */
export class MemoryBench implements FuzzBench {
  readonly witness: Initiator;
  readonly witnessTsih: number;
  readonly #harness: Harness;
  readonly #stores: readonly WatchedStore[];

  static async start(isSlow: boolean): Promise<MemoryBench> {
    const stores = [new WatchedStore(0), new WatchedStore(1)] as const;
    const shown = [stores[0], isSlow ? new SlowStore(stores[1], { delayMs: 0 }) : stores[1]];
    const own = new MemoryStore({ sizeBytes: MEDIUM_BYTES });
    const guarded = {
      name: GUARDED,
      chap: CHAP,
      stores: [new MemoryStore({ sizeBytes: MEDIUM_BYTES, readOnly: true })],
    };
    const moved = { name: MOVED, redirect: { targetAddress: "10.0.0.9:3260", isPermanent: false } };
    const harness = new Harness({
      targets: [{ stores: shown }, guarded, moved, { name: WITNESS_TARGET, stores: [own] }],
    });
    const targetName = nameOf(WITNESS_TARGET);
    return new MemoryBench(
      harness,
      stores,
      await harness.logIn({ targetName, initiatorName: WITNESS_NAME }),
    );
  }

  private constructor(harness: Harness, stores: readonly WatchedStore[], witness: Initiator) {
    this.#harness = harness;
    this.#stores = stores;
    this.witness = witness;
    this.witnessTsih = [...harness.node.sessions()][0]!.tsih;
  }

  get clock(): FakeClock {
    return this.#harness.clock;
  }

  serve(stream: ByteStream): Promise<void> {
    return this.#harness.node.serve(stream, ENDS);
  }

  interfere(random: Random): string {
    const { node } = this.#harness;
    const others = [...node.sessions()].filter(({ tsih }) => tsih !== this.witnessTsih);
    if (others.length === 0) return "nobody to disconnect";
    if (random.oneIn(2)) {
      node.requestLogout(random.pick(others), random.below(5));
      return "disconnect with grace";
    }
    node.endSession(random.pick(others));
    return "disconnect at once";
  }

  takeWrites(): StoreWrite[] {
    return this.#stores.flatMap(({ writes }) => writes.splice(0));
  }

  async assertNothingIsLeft(): Promise<void> {
    const { node, units } = this.#harness;
    await until(() => node.holdings.works === 0, "no work is under way");
    const held = { connections: 1, sessions: 1, works: 0, textBytes: 0 };
    assertEquals(node.holdings, held, "what the node holds");
    for (const [name, logicalUnits] of units) {
      for (const { nexuses, ranges } of logicalUnits) {
        assertEquals(nexuses.size, name === WITNESS_TARGET ? 1 : 0, `nexuses of ${name}`);
        assertEquals(ranges.isIdle, true, `nobody has a hold on a medium of ${name}`);
      }
    }
  }

  async end(): Promise<void> {
    await this.#harness.end();
  }
}
