/** The served targets, found without looking at the others. */
import { assertEquals } from "@std/assert";
import type { TargetConfig } from "../../../lib/config/config.ts";
import { sendTargets } from "../../../lib/iscsi/node/discovery.ts";
import { ServedTargets } from "../../../lib/iscsi/node/served_targets.ts";
import type { Session } from "../../../lib/iscsi/session/session.ts";
import type { Target } from "../../../lib/iscsi/target.ts";
import { ENDS, nameOf } from "../../support/harness.ts";

/** Targets of which the first has CHAP, and the number of looks at their configs. */
class Bench {
  readonly served: ServedTargets;
  looks = 0;

  constructor(count: number) {
    const targets = Array.from({ length: count }, (_, index) => ({ config: this.#config(index) }) as Target);
    const chap = { chap: undefined, chapMinimum: "md5" } as const;
    this.served = new ServedTargets({ targets, elsewhere: [], interfaces: [], chap });
    this.looks = 0;
  }

  #config(index: number): TargetConfig {
    const chap = index === 0 ? { accounts: new Map(), mutual: undefined } : undefined;
    const config = { iscsiName: nameOf(`t${index}`), networks: [], initiators: [], chap };
    return new Proxy(config as unknown as TargetConfig, {
      get: (object, name): unknown => {
        this.looks++;
        return Reflect.get(object, name);
      },
    });
  }
}

Deno.test("ServedTargets looks at no target to choose the proof of a refused login", () => {
  const bench = new Bench(100);
  assertEquals([bench.served.proofOfRefused?.accounts.size, bench.looks], [0, 0]);
});

Deno.test("sendTargets() looks at one target when it is asked for one, however many there are", () => {
  const session = {
    identity: { initiatorName: "iqn.2026-01.a:one", targetName: undefined },
    target: undefined,
  } as unknown as Session;
  const looks = [1, 100].map((count) => {
    const bench = new Bench(count);
    const answer = sendTargets(bench.served, ENDS, session, nameOf("t0"));
    assertEquals(answer?.map(([key]) => key), ["TargetName", "TargetAddress"]);
    assertEquals(sendTargets(bench.served, ENDS, session, nameOf("unknown")), []);
    return bench.looks;
  });
  assertEquals(looks[0], looks[1]);
});
