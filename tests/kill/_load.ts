/** The load of initiators until the server is killed. */
import type { Client, Stretch } from "../crash/_client.ts";
import type { Random } from "../support/seeded_random.ts";

/** The longest write. */
const BLOCKS_MAX = 64;

function stretchIn(area: Stretch, random: Random): Stretch {
  const blocks = 1 + random.below(Math.min(BLOCKS_MAX, area.blocks));
  return { ...area, lba: area.lba + random.below(area.blocks - blocks + 1), blocks };
}

/** Writes, unmaps and flushes in an area of its own, one command at a time; rejects when the server is gone. */
export async function keepWriting(client: Client, area: Stretch, random: Random): Promise<never> {
  const { lun = 0 } = area;
  while (true) {
    const stretch = stretchIn(area, random);
    switch (random.below(10)) {
      case 0:
        await client.flush(lun);
        break;
      case 1:
        await client.writeDurably(stretch);
        break;
      case 2:
      case 3:
        await client.unmap(stretch);
        break;
      default:
        await client.write(stretch);
    }
  }
}

/** Most blocks of COMPARE AND WRITE and of WRITE ATOMIC here. */
const ATOMIC_BLOCKS_MAX = 128;

/** Writes whole stretches, again and again; rejects when the server has ended. */
export async function keepWritingAtomically(
  client: Client,
  lun: number,
  tags: readonly number[],
  random: Random,
): Promise<never> {
  const stretches: Stretch[] = [];
  for (let lba = 3; lba + ATOMIC_BLOCKS_MAX < tags.length; lba += ATOMIC_BLOCKS_MAX) {
    stretches.push({ lun, lba, blocks: 1 + (lba * 7) % ATOMIC_BLOCKS_MAX });
  }
  const last = new Map(stretches.map((stretch) => [stretch, tags[stretch.lba]!]));
  while (true) {
    const stretch = random.pick(stretches);
    const id = random.oneIn(2)
      ? await client.compareAndWrite(stretch, last.get(stretch)!)
      : await client.writeAtomically(stretch);
    last.set(stretch, id);
    if (random.oneIn(8)) await client.flush(lun);
  }
}
