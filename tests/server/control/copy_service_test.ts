import { assertEquals, assertRejects } from "@std/assert";
import type { CopyRequest } from "../../../lib/control/control_requests.ts";
import { decodeCopyStart } from "../../../lib/control/copy_start.ts";
import { CopyService, type CopyServiceOptions } from "../../../lib/server/control/copy_service.ts";
import { workerLinksOf } from "../../../lib/provision/state_folder.ts";
import { withScratch } from "../../provision/scratch.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { until } from "../../support/until.ts";
import { FILE_BYTES, KeptLog, makeServed } from "../_serving.ts";

/** A worker that answers as the test wants. */
class FakeWorker {
  readonly asked: string[] = [];
  readonly ended = Promise.withResolvers<string | null>();
  wasHeld = true;
  isBusy = false;
  readonly serving: { readonly lease: { readonly place: string } };

  constructor(place: string) {
    this.serving = { lease: { place } };
  }

  async ask({ kind }: { readonly kind: string }): Promise<unknown> {
    this.asked.push(kind);
    if (kind === "beginCopy" && this.isBusy) throw new Error("it is being erased; try again later");
    if (kind === "unhold") return this.wasHeld;
    if (kind === "copyEnded") return await this.ended.promise;
    if (kind === "endCopy") this.ended.resolve(null);
    return null;
  }
}

interface Scene {
  readonly service: CopyService;
  readonly worker: FakeWorker;
  readonly temporary: string;
  readonly links: string;
  readonly request: CopyRequest;
  readonly messages: string[];
  readonly leave: () => void;
  readonly context: { progress: (message: string) => void; signal: AbortSignal };
}

async function withService(
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  await withScratch(async (folder) => {
    const { config } = makeServed(folder);
    const worker = new FakeWorker(folder);
    const links = workerLinksOf(folder, { readOnly: false });
    Deno.mkdirSync(links, { recursive: true });
    const supervisor = { requests: { supervisorOf: () => worker }, serving: { config, devices: [] } };
    const service = new CopyService({
      supervisor: supervisor as unknown as CopyServiceOptions["supervisor"],
      log: new KeptLog(),
      clock: new FakeClock(),
    });
    const temporary = `${folder}/.iscsi-copy-0123456789abcdef`;
    Deno.writeFileSync(temporary, new Uint8Array(FILE_BYTES));
    const controller = new AbortController();
    const messages: string[] = [];
    await test({
      service,
      worker,
      temporary,
      links,
      request: { target: "a", lun: 0, sizeBytes: FILE_BYTES, destination: "/copy", temporary, shares: false },
      messages,
      leave: () => controller.abort(),
      context: { progress: (message) => messages.push(message), signal: controller.signal },
    });
    assertEquals([...Deno.readDirSync(links)], []);
  });
}

Deno.test("CopyService holds a LUN until the client has shared its blocks", async () => {
  await withService(async ({ service, worker, request, context, messages }) => {
    const copying = service.copy({ ...request, shares: true }, context);
    await until(() => messages.length === 1, "the LUN is held");
    assertEquals(decodeCopyStart(messages[0]!), { kind: "held", copy: 1 });
    await service.follow({ copy: 1, copiedBytes: FILE_BYTES, isComplete: true });
    assertEquals(await copying, null);
    assertEquals(worker.asked, ["hold", "unhold", "unhold"]);
  });
});

Deno.test("CopyService does not trust blocks that were shared after the hold had ended", async () => {
  await withService(async ({ service, worker, request, context, messages, leave }) => {
    worker.wasHeld = false;
    const copying = assertRejects(() => service.copy({ ...request, shares: true }, context), Error);
    await until(() => messages.length === 1, "the LUN is held");
    const completing = (): Promise<null> =>
      service.follow({ copy: 1, copiedBytes: FILE_BYTES, isComplete: true });
    await assertRejects(completing, Error, "sharing the blocks took too long");
    leave();
    await copying;
    assertEquals(worker.asked.at(-1), "unhold");
  });
});

Deno.test("CopyService keeps old blocks in a file of its own where it cannot write that of the client", async () => {
  await withService(async ({ service, request, context, messages, links }) => {
    const other = { ...request, temporary: "/nowhere/.iscsi-copy-0123456789abcdef" };
    const copying = service.copy(other, context);
    await until(() => messages.length === 1, "the copy begins");
    const start = decodeCopyStart(messages[0]!);
    assertEquals(start.kind === "preserved" && start.keep, `${links}/copy-1.keep`);
    await service.follow({ copy: 1, copiedBytes: FILE_BYTES, isComplete: true });
    assertEquals(await copying, null);
  });
});

Deno.test("CopyService names the files of a copy, reports its progress, and ends it on request", async () => {
  await withService(async ({ service, worker, request, context, messages, temporary, links }) => {
    const copying = service.copy(request, context);
    await until(() => messages.length === 1, "the copy begins");
    const start = decodeCopyStart(messages[0]!);
    const { source } = start as { readonly source: string };
    const map = `${links}/copy-1.map`;
    assertEquals(start, { kind: "preserved", copy: 1, source, keep: temporary, map });
    await service.follow({ copy: 1, copiedBytes: 4096, isComplete: false });
    assertEquals(service.report(), [
      { target: "a", lun: 0, destination: "/copy", sizeBytes: FILE_BYTES, copiedBytes: 4096, seconds: 0 },
    ]);
    assertEquals(service.figures, { count: 1, bytes: 4096 });
    const error = await assertRejects(() => service.copy(request, context), Error);
    assertEquals(error.message, "LUN 0 of [a] is being copied: try again when that has ended");
    await service.follow({ copy: 1, copiedBytes: FILE_BYTES, isComplete: true });
    assertEquals(await copying, null);
    assertEquals(worker.asked.slice(0, 2), ["beginCopy", "copyEnded"]);
    assertEquals(service.report(), []);
    await assertRejects(
      () => service.follow({ copy: 1, copiedBytes: 1, isComplete: false }),
      Error,
      "has ended",
    );
  });
});

Deno.test("CopyService removes the unfinished copy of a client that has disconnected", async () => {
  await withService(async ({ service, worker, request, context, messages, temporary, leave }) => {
    const copying = assertRejects(() => service.copy(request, context), Error, "has ended");
    await until(() => messages.length === 1, "the copy begins");
    leave();
    await copying;
    assertEquals(worker.asked.at(-1), "endCopy");
    await assertRejects(() => Deno.stat(temporary), Deno.errors.NotFound);
  });
});

Deno.test("CopyService fails a copy with the reason of the worker", async () => {
  await withService(async ({ service, worker, request, context, messages }) => {
    const copying = assertRejects(() => service.copy(request, context), Error, "no space");
    await until(() => messages.length === 1, "the copy begins");
    worker.ended.resolve("no space");
    await copying;
    worker.isBusy = true;
    await assertRejects(() => service.copy(request, context), Error, "it is being erased");
  });
});

Deno.test("CopyService refuses a file that no command has made for a copy", async () => {
  await withService(async ({ service, request, context, worker }) => {
    const other = { ...request, temporary: "/etc/passwd" };
    await assertRejects(() => service.copy(other, context), Error, "is not an empty file for a copy");
    assertEquals(worker.asked, []);
  });
});

Deno.test("CopyService refuses a client that takes the LUN for one of another size", async () => {
  await withService(async ({ service, request, context, worker }) => {
    const error = await assertRejects(() => service.copy({ ...request, sizeBytes: 1 }, context), Error);
    assertEquals([error.message, worker.asked], ["LUN 0 of [a] has changed its size: try again", []]);
  });
});
