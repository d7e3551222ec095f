import type { Config } from "../config/config.ts";
import { findStorage, parseConfig } from "../config/parse_config.ts";
import { ControlClient } from "../control/control_client.ts";
import { ControlError } from "../control/control_error.ts";
import { describeHolderPid } from "../provision/lock_record.ts";
import { controlSocketOf, stateFolderOf } from "../provision/state_folder.ts";
import { StorageLock } from "../provision/storage_lock.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { readConf, readFile, reportDiagnostics } from "./load_config.ts";
import type { OptionValues } from "./options.ts";

/** The options that name a server. */
type ServerOptions = Pick<OptionValues, "conf" | "storage">;

/** The storage folder of a server, and a client for its control socket. */
export interface ServerPlace {
  readonly storage: string;
  /** Undefined when the conf has errors (a running server still has the old one), or names another folder. */
  readonly config: Config | undefined;
  readonly client: ControlClient;
}

/** Finds the server of a conf or of a storage folder; on failure reports it and returns the exit code. */
export function findServer(
  { conf: file, storage: elsewhere }: ServerOptions,
  context: Context,
): ServerPlace | { readonly exitCode: ExitCode } {
  if (elsewhere !== undefined) return placeOf(elsewhere, undefined);
  const conf = readConf(file, context);
  if (conf === undefined) return { exitCode: EXIT_CODES.failed.code };
  const { config, diagnostics } = parseConfig(conf.text, { file, readFile });
  const storage = config?.storage ?? findStorage(conf.text);
  if (storage === undefined) {
    reportDiagnostics(diagnostics, context);
    return { exitCode: EXIT_CODES.confErrors.code };
  }
  return placeOf(storage, config);
}

function placeOf(storage: string, config: Config | undefined): ServerPlace {
  return { storage, config, client: new ControlClient(controlSocketOf(storage)) };
}

/** Runs `act` with the server of a conf, and reports a server that refuses or does not run. */
export async function withServer(
  options: ServerOptions,
  context: Context,
  act: (client: ControlClient) => Promise<ExitCode>,
): Promise<ExitCode> {
  const place = findServer(options, context);
  if ("exitCode" in place) return place.exitCode;
  try {
    return await act(place.client);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    context.stderr.write(`iscsi: ${explainControlError(error, place.storage)}\n`);
    return EXIT_CODES.failed.code;
  }
}

/** Describes the failure of a request. */
export function explainControlError({ kind, message }: ControlError, storage: string): string {
  switch (kind) {
    case "noServer":
      return explainAbsence(storage);
    case "notPermitted":
      return `${message}; only root and the user that runs the server may`;
    case "refused":
      return `The server refuses: ${message}`;
    case "unreachable":
    case "broken":
      return message;
  }
}

/** Describes the absence of a control socket: usually no server runs. */
function explainAbsence(storage: string): string {
  const holder = StorageLock.holder(stateFolderOf(storage), "serve");
  if (holder === undefined) return `No server is running on "${storage}"`;
  const server = `The server running on "${storage}"${describeHolderPid(holder)}`;
  if (holder.holderHost === undefined) return `${server} accepts no requests; see its log`;
  return `${server} accepts requests only on its host; run the command there`;
}
