import { setPriority } from "node:os";

/** The lowest priority of a process (nice(2)). */
const LOWEST = 19;

/** Lets every other process use the processor first, from now on. */
export function lowerPriority(): void {
  try {
    setPriority(LOWEST);
  } catch {
    // The copy is only less considerate.
  }
}
