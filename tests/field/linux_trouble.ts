/** Linux at work while something happens: a path goes, the conf changes, the server dies, the file system is full. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { freePort } from "../support/server_process.ts";
import { findObstacle, SmallFileSystem } from "../support/small_file_system.ts";
import { CannotRun, type Scenario } from "./scenario.ts";
import { checkRecords, enter, linux, portalOf } from "./linux.ts";

const NETWORKS = "networks = 127.0.0.0/8\n";
const DISK = "[disk]\nsize = 16MB\n";
const SLOTS = 40;

/** The scenarios of this file. */
export const LINUX_TROUBLE: readonly Scenario[] = [
  linux({
    name: "multipath",
    proves: "Linux writes on through one path while the other is gone, and takes both when it returns",
    limitSeconds: 420,
    mayReport: "conn error|ping timeout|recovery timed out|offline device|I/O error|DISRUPTED",
    async run(guest, context): Promise<void> {
      // Without networks the server listens at every address, 127.0.0.2 included.
      const appliance = context.appliance(DISK);
      await context.serve(appliance);
      const paths = (await guest.run(`for address in 127.0.0.1 127.0.0.2; do
          add_record disk $address:${appliance.port}
        done
        set_options disk 'node.conn[0].timeo.noop_out_interval=2' 'node.conn[0].timeo.noop_out_timeout=10' \\
          node.session.timeo.replacement_timeout=5
        log_in disk >/dev/null
        disk disk 0 127.0.0.1
        disk disk 0 127.0.0.2`)).split("\n").map((path) => path.replace("/dev/", ""));
      const map = await guest.run(`multipathd
        map_of() { multipathd show maps raw format '%n %N' | awk '$2 == 2 { print "/dev/mapper/" $1 }' | grep .; }
        is_ready() { [ -b "$(map_of)" ]; }
        wait_for 60 is_ready
        map_of`);
      const states = (first: string, second: string): string =>
        `has_states() {
           multipathd show paths raw format '%d %t' | sort >/run/paths
           printf '%s\\n' "${paths[0]} ${first}" "${paths[1]} ${second}" | sort | cmp -s - /run/paths
         }
         wait_for 120 has_states`;
      await guest.run(
        `start_writer ${map} ${SLOTS}; await_writes ${SLOTS}; ip route add blackhole 127.0.0.2`,
      );
      await guest.run(
        `${states("active", "failed")}; await_writes ${SLOTS}; ip route del blackhole 127.0.0.2`,
      );
      await guest.run(
        `${states("active", "active")}; await_writes ${SLOTS}; ip route add blackhole 127.0.0.1/32`,
      );
      await guest.run(
        `${states("failed", "active")}; await_writes ${SLOTS}; ip route del blackhole 127.0.0.1/32`,
      );
      await guest.run(`${states("active", "active")}`);
      const report = await guest.run("stop_writer");
      assertEquals(await guest.run("write_errors"), "0");
      checkRecords(appliance, "disk", report);
      await guest.run(`multipathd shutdown >/dev/null; multipath -F`);
    },
  }),
  linux({
    name: "reload",
    proves: "Linux notices nothing of builds that add, change and remove other targets",
    limitSeconds: 240,
    async run(guest, context): Promise<void> {
      const appliance = context.appliance(`${NETWORKS}${DISK}`);
      await context.serve(appliance);
      const disk = await enter(guest, appliance);
      await guest.run(`start_writer ${disk} ${SLOTS}; await_writes 5`);
      for (
        const others of [
          "[a]\nsize = 4MB\n",
          "[a]\nsize = 8MB\n[b]\nsize = 4MB 4MB\n",
          "[c]\nsize = 4MB\n",
          "",
        ]
      ) {
        appliance.writeConf(`${NETWORKS}${others}${DISK}`);
        assertEquals((await appliance.build()).code, 0);
        const list = await guest.run(`await_writes 5; iscsiadm -m discovery -t st -p ${portalOf(appliance)}`);
        assertEquals(list.split("\n").length, 1 + others.split("[").length - 1);
      }
      checkRecords(appliance, "disk", await guest.run("stop_writer"));
      assertEquals(await guest.run("write_errors"), "0");
    },
  }),
  linux({
    name: "ports",
    proves: "Linux follows a target to another port, by a record of the old one, also while it writes",
    limitSeconds: 240,
    mayReport: "conn error",
    async run(guest, context): Promise<void> {
      const port = freePort();
      const other = `${NETWORKS}[other]\nsize = 4MB\n`;
      const appliance = context.appliance(`${other}${DISK}port = ${port}\n`);
      await context.serve(appliance);
      // The record names the port of the other target, which redirects.
      await guest.run(`add_record disk ${portalOf(appliance)}; log_in disk`);
      const disk = await guest.run("disk disk");
      await guest.run(`start_writer ${disk} ${SLOTS}; await_writes 30`);
      for (const to of [`${DISK}`, `${DISK}port = ${port}\n`]) {
        appliance.writeConf(`${other}${to}`);
        assertEquals((await appliance.build()).code, 0);
        await guest.run("await_writes 30");
      }
      checkRecords(appliance, "disk", await guest.run("stop_writer"));
      assertEquals(await guest.run("write_errors"), "0");
    },
  }),
  linux({
    name: "kill",
    proves: "Linux logs in again after kill -9 of the server, and nothing that it wrote is lost",
    limitSeconds: 240,
    mayReport: "conn error",
    async run(guest, context): Promise<void> {
      const appliance = context.appliance(`${NETWORKS}${DISK}`);
      let server = await context.serve(appliance);
      const disk = await enter(guest, appliance);
      await guest.run(`start_writer ${disk} ${SLOTS}`);
      for (let round = 0; round < 3; round++) {
        await guest.run("await_writes 30");
        await server.kill();
        server = await context.restart(appliance);
      }
      await guest.run("await_writes 30");
      checkRecords(appliance, "disk", await guest.run("stop_writer"));
      assertEquals(await guest.run("write_errors"), "0");
    },
  }),
  linux({
    name: "full",
    needs: ["mkfs.ext4", "fallocate"],
    proves: "Linux gets 27/07 for new blocks of a full file system, and writes on when it has space",
    limitSeconds: 240,
    mayReport: "critical space allocation error|Sense Key",
    async run(guest, context): Promise<void> {
      const obstacle = findObstacle("ext4");
      if (obstacle !== undefined) throw new CannotRun(obstacle);
      const disk = context.use(await SmallFileSystem.mount("ext4"));
      const appliance = context.appliance(`${NETWORKS}[disk]\nsize = 64MB\n`);
      Deno.symlinkSync(disk.folder, appliance.storage);
      await context.serve(appliance);
      const device = await enter(guest, appliance);
      await guest.run(`start_writer ${device} 4; await_writes 4`);
      await disk.fill();
      const write = `dd if=/dev/urandom of=${device} bs=64k count=1 seek=500 oflag=direct status=none`;
      const refused = await guest.attempt(write);
      assert(refused.code !== 0, "a write to a new block succeeded");
      assertStringIncludes(refused.output, "No space left on device");
      assertStringIncludes(await guest.run("dmesg"), "Add. Sense: Space allocation failed write protect");
      await guest.run("await_writes 8");
      disk.empty();
      await guest.run(`wait_for 60 ${write}; await_writes 8`);
      checkRecords(appliance, "disk", await guest.run("stop_writer"));
      assertEquals(await guest.run("write_errors"), "0");
    },
  }),
];
