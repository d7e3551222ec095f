import { formatSize } from "../config/size.ts";
import type { FileSystemSpace } from "../control/server_status.ts";
import { formatDuration, formatGrowth, printable, shorten } from "./show_text.ts";
import { usageBar } from "./spark_line.ts";
import type { StatusTextOptions } from "./status_text_options.ts";
import { wrapWords } from "./wrap_words.ts";

/** A file system is highlighted that will be full within so many days, or of which less than this part is left. */
const FULL_SOON_DAYS = 14;
const LITTLE_LEFT = 0.1;

/** A longer forecast means nothing. */
const FORECAST_DAYS_MAX = 3650;

const BAR_COLUMNS = 22;

/** Formats the space of a file system and its forecast, with a bar of the used space where a person watches. */
export function showFileSystem(
  space: FileSystemSpace,
  { columns, style, history }: StatusTextOptions,
): string[] {
  const { path, totalBytes, availableBytes, fullInDays } = space;
  const bar = history === undefined
    ? ""
    : `${usageBar(totalBytes - availableBytes, totalBytes, BAR_COLUMNS)} `;
  const left = `${formatSize(availableBytes)} of ${formatSize(totalBytes)} left`;
  const isLittle = availableBytes < totalBytes * LITTLE_LEFT;
  const isSoon = fullInDays !== null && fullInDays < FULL_SOON_DAYS;
  const text = `File system ${printable(path)}: ${bar}${left}, ${forecast(space)}`;
  return wrapWords(text, columns).map((line) => {
    const shown = shorten(line, columns);
    return isLittle || isSoon ? style.warning(shown) : shown;
  });
}

function forecast({ growthBytesPerDay, fullInDays }: FileSystemSpace): string {
  if (growthBytesPerDay === null) return "growth not known yet";
  if (fullInDays === null) return "not growing";
  const rate = `(${formatGrowth(growthBytesPerDay)}/day)`;
  if (fullInDays > FORECAST_DAYS_MAX) return `not full for years ${rate}`;
  return `full in ${formatDuration(fullInDays * 24 * 60 * 60)} ${rate}`;
}
