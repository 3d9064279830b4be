import { open } from 'node:fs/promises';

/** Makes what was made, renamed or removed in a directory outlast a loss of power. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows opens no directories, and writes their entries with the file.
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
