import { makeSecretText } from "../config/secret.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import type { OptionValues } from "./options.ts";
import { randomBytes } from "../server/system.ts";

/** `iscsi secret`: makes a random secret for CHAP (RFC 7143, 9.2.1 requires a way to). */
export function secret({ stdout, json }: Context, { hex }: OptionValues): Promise<ExitCode> {
  const secret = makeSecretText(randomBytes, hex ? "hexadecimal" : "text");
  if (json === undefined) stdout.write(`${secret}\n`);
  else json.setDocument({ secret });
  return Promise.resolve(EXIT_CODES.done.code);
}
