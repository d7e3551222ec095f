import { formatSize } from "../config/size.ts";
import { forget } from "../provision/forget.ts";
import { type ForgettableFile, planForget } from "../provision/forget_plan.ts";
import { refuseUnlessConfirmed, writeSubject } from "./confirmation.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { loadConfig } from "./load_config.ts";
import type { OptionValues } from "./options.ts";
import { printable } from "./show_text.ts";

/** `iscsi forget`: deletes backing files that the conf no longer uses. Lists them, and asks first. */
export async function forgetFiles(
  context: Context,
  options: OptionValues,
  names: readonly string[],
): Promise<ExitCode> {
  const loaded = loadConfig(options.conf, context);
  if (loaded.config === undefined) return loaded.exitCode;
  const { config } = loaded;
  const { files, problems } = planForget(config, names);
  if (problems.length > 0) return refuse(problems, context);
  writeSubject(tableOf(files), context, { yes: options.yes || options.dryRun });
  if (options.dryRun) {
    context.json?.setDocument(toJson(options, files));
    if (context.json === undefined) context.stdout.write("Dry run: nothing was deleted\n");
    return EXIT_CODES.done.code;
  }
  const refusal = await refuseUnlessConfirmed(context, {
    yes: options.yes,
    question: `Delete ${files.length === 1 ? "this file and its" : "these files and their"} data?`,
  });
  if (refusal !== undefined) return refusal;
  const { files: deleted, failure } = await forget(config, names);
  context.json?.setDocument(toJson(options, deleted));
  if (context.json === undefined) {
    for (const { path } of deleted) context.stdout.write(`Deleted ${printable(path)}\n`);
  }
  if (failure === undefined) return EXIT_CODES.done.code;
  context.stderr.write(`iscsi: ${printable(failure)}\n`);
  return EXIT_CODES.failed.code;
}

function refuse(problems: readonly string[], context: Context): ExitCode {
  for (const problem of problems) context.stderr.write(`iscsi: ${printable(problem)}\n`);
  context.stderr.write("iscsi: Nothing was deleted\n");
  return EXIT_CODES.failed.code;
}

function tableOf(files: readonly ForgettableFile[]): string {
  const rows = files.map(({ path, sizeBytes, allocatedBytes }) =>
    sizeBytes === null
      ? row("missing", "", printable(path))
      : row(formatSize(sizeBytes), formatSize(allocatedBytes ?? 0), printable(path))
  );
  return [row("SIZE", "ALLOCATED", "FILE"), ...rows].join("");
}

function row(size: string, allocated: string, path: string): string {
  return `${size.padStart(10)}  ${allocated.padStart(10)}  ${path}\n`;
}

function toJson({ conf, dryRun }: OptionValues, files: readonly ForgettableFile[]): unknown {
  return {
    file: conf,
    dryRun,
    files: files.map(({ path, sizeBytes, allocatedBytes }) => ({ path, sizeBytes, allocatedBytes })),
  };
}
