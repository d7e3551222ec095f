import type { Config } from "../config/config.ts";
import { findStorage, parseConfig } from "../config/parse_config.ts";
import { ControlClient } from "../control/control_client.ts";
import { ControlError } from "../control/control_error.ts";
import { controlSocketOf, stateFolderOf } from "../provision/state_folder.ts";
import { StorageLock } from "../provision/storage_lock.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { readConf, readFile, reportDiagnostics } from "./load_config.ts";
import type { OptionValues } from "./options.ts";

/** What is said of where the server is. */
type ServerOptions = Pick<OptionValues, "conf" | "storage">;

/** Where the server of a conf is to be found. */
export interface ServerPlace {
  readonly storage: string;
  /** Undefined when the conf has errors, of which a server that runs knows nothing, or is of another folder. */
  readonly config: Config | undefined;
  readonly client: ControlClient;
}

/** Finds the server of a conf, or that of a storage folder, or says why not and returns how the command ends. */
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

/** Does something with the server of a conf; when the server says no, or is not there, that is told. */
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

/** What to tell a person whose request came to nothing. */
export function explainControlError({ kind, message }: ControlError, storage: string): string {
  switch (kind) {
    case "noServer":
      return explainAbsence(storage);
    case "notPermitted":
      return `${message}; only the user who runs the server may, and root`;
    case "refused":
      return `The server refuses: ${message}`;
    case "unreachable":
    case "broken":
      return message;
  }
}

/** Nobody takes requests: mostly because no server runs. */
function explainAbsence(storage: string): string {
  const holder = StorageLock.holder(stateFolderOf(storage), "serve");
  if (holder === undefined) return `No server is running on "${storage}"`;
  const process = holder.holderPid === undefined ? "" : ` (pid ${holder.holderPid})`;
  return `The server that is running on "${storage}"${process} takes no requests; its log says why`;
}
