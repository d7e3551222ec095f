/** The processes that the resource agent takes for the server, or for programs of it. */
import { assertEquals } from "@std/assert";
import { basename } from "@std/path";
import { DEFAULT_CONF_FILE } from "../../lib/config/config.ts";
import { findMountObstacle, findOwnMountsObstacle, OWN_MOUNTS, testUnless } from "../support/obstacles.ts";
import { isAlive, killIfAlive } from "../support/process_state.ts";
import { ServerProcess } from "../support/server_process.ts";
import { findMissing, testWithTools } from "../support/tools.ts";
import { until, untilAsked } from "../support/until.ts";
import { CONF, Ocf, Resource, STUBBORN, TOOLS } from "./cluster_resource.ts";

testWithTools("the agent takes no server of another conf for its own", TOOLS, async () => {
  await using first = new Resource();
  await using second = new Resource(CONF, { instance: "second" });
  await first.begin();
  const pid = await first.pid();
  assertEquals([await second.code("monitor"), await second.code("stop")], [Ocf.notRunning, Ocf.success]);
  await second.begin();
  assertEquals([await first.code("monitor"), await second.code("monitor")], [Ocf.success, Ocf.success]);
  Deno.kill(pid, "SIGKILL");
  assertEquals([await first.code("monitor"), await second.code("monitor")], [Ocf.notRunning, Ocf.success]);
  assertEquals([await second.code("stop"), await second.code("monitor")], [Ocf.success, Ocf.notRunning]);
});

testWithTools("the agent finds a server that was started without it, and stops it", TOOLS, async () => {
  await using resource = new Resource();
  const server = await resource.appliance.serve();
  assertEquals([await resource.code("monitor"), await resource.code("start")], [Ocf.success, Ocf.success]);
  assertEquals([await resource.code("stop"), await resource.code("monitor")], [Ocf.success, Ocf.notRunning]);
  await server.stop();
});

testWithTools("the agent finds a server however its conf was written", TOOLS, async () => {
  const script = `case $1 in
    serve) while :; do sleep 1; done ;;
    status) true ;;
  esac`;
  await using resource = new Resource(CONF, { script });
  const { folder, confPath } = resource.appliance;
  const [name, parent] = [basename(confPath), basename(folder)];
  const spellings = [
    [`-c${confPath}`],
    [`-c=${confPath}`],
    ["-c", name],
    [`--conf=../${parent}/./${name}`],
    ["--conf", `/${confPath}`],
  ];
  for (const words of spellings) {
    const server = new Deno.Command(resource.program, { args: ["serve", ...words], cwd: folder }).spawn();
    try {
      await untilAsked(async () => await resource.code("monitor") === Ocf.success, `${words} is found`);
      assertEquals([await resource.code("stop"), isAlive(server.pid)], [Ocf.success, false]);
    } finally {
      killIfAlive(server.pid);
      await server.status;
    }
  }
  const args = ["-c", "while :; do sleep 1; done", "serve", "-c", name];
  const other = new Deno.Command("sh", { args, cwd: "/" }).spawn();
  try {
    await untilAsked(() => Promise.resolve(isAlive(other.pid)), "it runs");
    assertEquals([await resource.code("monitor"), await resource.code("stop")], [
      Ocf.notRunning,
      Ocf.success,
    ]);
    assertEquals(isAlive(other.pid), true);
  } finally {
    killIfAlive(other.pid);
    await other.status;
  }
});

testWithTools(
  "the agent finds a server of the default conf that was started without --conf",
  TOOLS,
  async () => {
    const script = `case $1 in
      serve) while :; do sleep 1; done ;;
      status) true ;;
    esac`;
    await using resource = new Resource(CONF, { script });
    const env = { OCF_RESKEY_conf: DEFAULT_CONF_FILE };
    const server = new Deno.Command(resource.program, { args: ["serve", "--log", "journal"] }).spawn();
    try {
      await untilAsked(async () => await resource.code("monitor", env) === Ocf.success, "it is found");
      const other = { OCF_RESKEY_conf: resource.appliance.confPath };
      assertEquals(await resource.code("monitor", other), Ocf.notRunning);
      assertEquals([await resource.code("stop", env), await resource.code("monitor", env)], [
        Ocf.success,
        Ocf.notRunning,
      ]);
    } finally {
      killIfAlive(server.pid);
      await server.status;
    }
  },
);

testWithTools("the agent takes no program that only reads the conf for the server", TOOLS, async () => {
  await using resource = new Resource();
  const reader = new Deno.Command("tail", { args: ["-f", resource.appliance.confPath], stdout: "null" })
    .spawn();
  try {
    await untilAsked(() => Promise.resolve(isAlive(reader.pid)), "it reads");
    assertEquals([await resource.code("monitor"), await resource.code("stop")], [
      Ocf.notRunning,
      Ocf.success,
    ]);
    assertEquals(isAlive(reader.pid), true);
  } finally {
    reader.kill();
    await reader.status;
  }
});

testUnless(
  findMountObstacle() ?? findMissing(TOOLS),
  "the agent takes no server of another network namespace for its own",
  async () => {
    await using resource = new Resource();
    assertEquals((await resource.appliance.build()).code, 0);
    const words = ["serve", "--conf", resource.appliance.confPath];
    await using _elsewhere = await ServerProcess.launchBelow(["unshare", "--net"], words).untilReady();
    assertEquals([await resource.code("monitor"), await resource.code("stop")], [
      Ocf.notRunning,
      Ocf.success,
    ]);
    assertEquals(_elsewhere.isEnded, false);
  },
);

testWithTools(
  "the agent kills a program that is left where a link leads to the folder of locks",
  TOOLS,
  async () => {
    await using resource = new Resource(CONF, { script: STUBBORN });
    const { folder } = resource.appliance;
    Deno.mkdirSync(`${folder}/real`);
    Deno.symlinkSync(`${folder}/real`, `${folder}/link`);
    const env = { HA_RSCTMP: `${folder}/link` };
    assertEquals(await resource.code("start", env), Ocf.success);
    const helper = resource.numberIn("helper");
    try {
      Deno.kill(resource.numberIn("server"), "SIGKILL");
      assertEquals([await resource.code("stop", env), isAlive(helper)], [Ocf.success, false]);
    } finally {
      killIfAlive(helper);
    }
  },
);

testUnless(
  findOwnMountsObstacle() ?? findMissing(TOOLS),
  "the agent kills no program that holds a lock of the same name elsewhere",
  async () => {
    await using resource = new Resource(CONF, { script: STUBBORN });
    assertEquals(await resource.code("start"), Ocf.success);
    const script = 'mount -t tmpfs none "${1%/*}" && exec sleep 1000 3>"$1"';
    const [program, ...args] = [...OWN_MOUNTS, "sh", "-c", script, "sh", resource.lock];
    const other = new Deno.Command(program!, { args }).spawn();
    try {
      const command = `/proc/${other.pid}/cmdline`;
      await until(() => Deno.readTextFileSync(command).startsWith("sleep\0"), "it has its lock");
      assertEquals([await resource.code("stop"), isAlive(other.pid)], [Ocf.success, true]);
    } finally {
      other.kill();
      await other.status;
    }
  },
);
