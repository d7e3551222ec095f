import type { Command } from "./command.ts";

/** Every command, in the order of the help text. */
export const COMMANDS: readonly Command[] = [
  {
    name: "check",
    summary: "check a conf and print what it exports",
    description: [
      "Reads the conf, reports everything that is wrong with it, and prints the targets that it describes. " +
      "Touches nothing, and does not look at the disks.",
    ],
    options: ["conf", "json"],
    load: async () => (await import("./check.ts")).check,
  },
  {
    name: "build",
    summary: "create and grow the backing files of a conf",
    description: [
      "Creates the storage folder, a sparse file for each LUN that has none, and the identity by which " +
      "initiators know the LUN again; makes files longer whose size was raised. Never shrinks, overwrites or " +
      "deletes a file. Does nothing at all while one thing is wrong; can be run again at any time.",
    ],
    options: ["conf", "dryRun", "json"],
    load: async () => (await import("./build.ts")).build,
  },
  {
    name: "serve",
    summary: "serve the targets of a conf to initiators",
    description: [
      "Serves what the last build has made, until SIGTERM or SIGINT, which end it in order. Prints a line for each " +
      'address that it listens at, then "ready"; what happens goes to standard error, one line an event.',
    ],
    options: ["conf", "log", "logLevel"],
    load: async () => (await import("./serve.ts")).serve,
  },
  {
    name: "demo",
    summary: "try it: serve an example on loopback",
    description: [
      "Builds an example conf in a scratch folder, serves it on loopback without root, and says how to connect. " +
      "SIGTERM or SIGINT end it and remove the folder.",
    ],
    options: [],
    load: async () => (await import("./demo.ts")).demo,
  },
];
