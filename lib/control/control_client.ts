/** The client's end of the control socket: sends requests to the running server. */
import { completeStatus } from "./complete_status.ts";
import { ControlError } from "./control_error.ts";
import { ControlLimits } from "./control_limits.ts";
import { decodeReply, encodeLine, type Reply } from "./control_message.ts";
import {
  CONTROL_REQUESTS,
  type ControlResults,
  type ParametersOf,
  type RequestName,
} from "./control_requests.ts";
import { LineBuffer } from "./line_buffer.ts";
import { withSocketPath } from "./socket_path.ts";
import { withLimit } from "./with_limit.ts";
import { errorMessage } from "../base/error_message.ts";
import { untilAborted } from "../base/until_aborted.ts";

const READ_BYTES = 64 * 1024;

/** A client of the server that listens at a control socket. */
export class ControlClient {
  readonly #path: string;

  /** @param path path of the socket */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Sends a request and waits for its result.
   *
   * @param onProgress called with each progress message of the server
   * @param signal aborted to disconnect; the request fails with its reason
   * @throws {ControlError} (rejects)
   */
  async request<Name extends RequestName>(
    request: Name,
    parameters: ParametersOf<Name>,
    onProgress: (message: string) => void = () => {},
    signal?: AbortSignal,
  ): Promise<ControlResults[Name]> {
    using connection = await connect(this.#path);
    const { limitMs } = CONTROL_REQUESTS[request];
    const onLimit = (): Error =>
      new ControlError("broken", `The server has not answered within ${limitMs / 1000} s`);
    const bytes = new TextEncoder().encode(encodeLine({ request, parameters }));
    try {
      const exchanging = exchange(connection, bytes, onProgress);
      const exchanged = signal === undefined ? exchanging : untilAborted(exchanging, signal);
      const result = await withLimit(exchanged, limitMs, onLimit) as ControlResults[Name];
      return COMPLETIONS[request]?.(result) ?? result;
    } catch (error) {
      if (error instanceof ControlError) throw error;
      const reason = errorMessage(error);
      throw new ControlError("broken", `Cannot communicate with the server: ${reason}`, { cause: error });
    }
  }
}

/** Completes the results of a server of an earlier version. */
const COMPLETIONS: {
  readonly [Name in RequestName]?: (result: ControlResults[Name]) => ControlResults[Name];
} = { status: completeStatus };

async function connect(path: string): Promise<Deno.UnixConn> {
  try {
    return await withSocketPath(path, (path) => Deno.connect({ transport: "unix", path }));
  } catch (error) {
    const { ConnectionRefused, NotADirectory, NotFound } = Deno.errors;
    if ([ConnectionRefused, NotADirectory, NotFound].some((kind) => error instanceof kind)) {
      throw new ControlError("noServer", `No server listens at "${path}"`, { cause: error });
    }
    const reason = errorMessage(error);
    const kind = error instanceof Deno.errors.PermissionDenied ? "notPermitted" : "unreachable";
    throw new ControlError(kind, `Cannot connect to the server at "${path}": ${reason}`, { cause: error });
  }
}

async function exchange(
  connection: Deno.UnixConn,
  request: Uint8Array,
  onProgress: (message: string) => void,
): Promise<unknown> {
  for (let written = 0; written < request.length;) {
    written += await connection.write(request.subarray(written));
  }
  const lines = new LineBuffer(ControlLimits.replyBytes);
  const buffer = new Uint8Array(READ_BYTES);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) {
      throw new ControlError("broken", "The server closed the connection before the end of its answer");
    }
    for (const line of lines.push(buffer.subarray(0, count))) {
      const reply: Reply = decodeReply(line);
      if (reply.kind === "result") return reply.result;
      if (reply.kind === "error") throw new ControlError("refused", reply.message);
      onProgress(reply.message);
    }
  }
}
