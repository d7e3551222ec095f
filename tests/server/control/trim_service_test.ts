import { assertEquals, assertRejects } from "@std/assert";
import type { RequestContext } from "../../../lib/control/control_requests.ts";
import type { TrimFigures } from "../../../lib/scsi/medium/trimmer.ts";
import { TrimService } from "../../../lib/server/control/trim_service.ts";
import { withScratch } from "../../provision/scratch.ts";
import { until } from "../../support/until.ts";
import { makeServed } from "../_serving.ts";

/** A worker whose trim ends when a test wants it. */
class FakeWorker {
  readonly done = Promise.withResolvers<TrimFigures>();
  progress = figuresOf(1, 0);
  isCancelled = false;

  async ask({ kind }: { readonly kind: string }): Promise<unknown> {
    if (kind === "trim") return await this.done.promise;
    if (kind === "cancelTrim") this.isCancelled = true;
    return kind === "trimProgress" ? this.progress : null;
  }
}

function figuresOf(examinedMib: number, releasedMib: number): TrimFigures {
  const [examinedBytes, releasedBytes] = [examinedMib, releasedMib].map((mib) => mib * 1024 ** 2);
  return {
    sizeBytes: 4 * 1024 ** 2,
    examinedBytes: examinedBytes!,
    releasedBytes: releasedBytes!,
    busyBytes: 0,
  };
}

interface Scene {
  readonly service: TrimService;
  readonly worker: FakeWorker;
  readonly messages: string[];
  readonly controller: AbortController;
  readonly context: RequestContext;
}

function withService(test: (scene: Scene) => Promise<void>): Promise<void> {
  return withScratch(async (folder) => {
    const { config } = makeServed(folder);
    const worker = new FakeWorker();
    const supervisor = { requests: { supervisorOf: () => worker }, serving: { config } };
    const service = new TrimService(supervisor as unknown as ConstructorParameters<typeof TrimService>[0]);
    const messages: string[] = [];
    const controller = new AbortController();
    const context = { progress: (message: string) => messages.push(message), signal: controller.signal };
    await test({ service, worker, messages, controller, context });
  });
}

const REQUEST = { target: "a", lun: 0, bytesPerSecond: null };
const [IDLE, MIB] = [{ count: 0, examinedBytes: 0, releasedBytes: 0 }, 1024 ** 2];

Deno.test("TrimService counts what its trims have examined and given back", () =>
  withService(async ({ service, worker, messages, context }) => {
    assertEquals(service.figures, IDLE);
    const trimming = service.trim(REQUEST, context);
    await until(() => messages.length > 0, "progress is reported");
    assertEquals(service.figures, { count: 1, examinedBytes: MIB, releasedBytes: 0 });
    worker.done.resolve(figuresOf(4, 2));
    assertEquals((await trimming).releasedBytes, 2 * MIB);
    assertEquals(service.figures, { count: 0, examinedBytes: 4 * MIB, releasedBytes: 2 * MIB });
  }));

Deno.test("TrimService keeps the count of a trim that fails or whose client leaves", () =>
  withService(async ({ service, worker, messages, controller, context }) => {
    const trimming = assertRejects(() => service.trim(REQUEST, context), Error, "it was cancelled");
    await until(() => messages.length > 0, "progress is reported");
    controller.abort();
    await until(() => worker.isCancelled, "the trim is cancelled");
    worker.done.reject(new Error("it was cancelled"));
    await trimming;
    assertEquals(service.figures, { count: 0, examinedBytes: MIB, releasedBytes: 0 });
  }));
