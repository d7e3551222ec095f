/** Scenarios of nmap, whose scripts have an initiator in Lua. */
import { assertMatch, assertStringIncludes } from "@std/assert";
import { runToolOk } from "../support/tools.ts";
import type { Context, Scenario } from "./scenario.ts";

const NODE = "iqn.2002-08.info.netmanager";

const CONF = `
networks = 127.0.0.0/8
[open]
size = 8MB
[guarded]
size = 8MB
user = scanner
secret = secret-of-scanner
`;

/** Runs a script of nmap, also where its rules would not, and returns its output. */
async function runScript(
  context: Context,
  name: string,
  args: Readonly<Record<string, string>> = {},
): Promise<{ output: string; log: () => string }> {
  const appliance = context.appliance(CONF);
  const server = await context.serve(appliance);
  const output = await runToolOk("nmap", [
    ...["-Pn", "-n", "-sT", "-p", String(appliance.port), "--script", `+${name}`],
    ...[
      "--script-args",
      Object.entries(args).map(([key, value]) => `${key}=${value}`).join(","),
      "127.0.0.1",
    ],
  ]);
  return { output, log: () => server.stderr };
}

/** The scenarios of nmap. */
export const NMAP: readonly Scenario[] = [
  {
    name: "nmap-info",
    proves: "The initiator of nmap lists the targets, and which of them ask for CHAP",
    needs: ["nmap"],
    limitSeconds: 60,
    run: async (context) => {
      const { output } = await runScript(context, "iscsi-info");
      assertMatch(output, RegExp(`${NODE}:open: \n.*Address: 127\\.0\\.0\\.1:\\d+,1\n.*NOT required`));
      assertMatch(output, RegExp(`${NODE}:guarded: \n.*Address: 127\\.0\\.0\\.1:\\d+,1\n.*required`));
    },
  },
  {
    name: "nmap-brute",
    proves: "The initiator of nmap gets in by CHAP with the secret, and with no other",
    needs: ["nmap"],
    limitSeconds: 60,
    run: async (context) => {
      const [users, secrets] = [`${context.folder}/users`, `${context.folder}/secrets`];
      await Deno.writeTextFile(users, "scanner\n");
      await Deno.writeTextFile(secrets, "not-the-secret\nsecret-of-scanner\n");
      const { output, log } = await runScript(context, "iscsi-brute", {
        "iscsi-brute.target": `${NODE}:guarded`,
        "userdb": users,
        "passdb": secrets,
        "brute.threads": "1",
      });
      assertMatch(output, /Accounts: \n\|\s+scanner:secret-of-scanner - Valid credentials\n/);
      assertStringIncludes(log(), 'the secret for CHAP name "scanner" is wrong');
    },
  },
];
