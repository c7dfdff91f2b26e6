import { readFileSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { PeerHostError } from '@peerhost/protocol'

/** Reads a file; throws PH_FILE_UNREADABLE. */
export function readFile(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new PeerHostError('PH_FILE_UNREADABLE', { file, detail: (cause as Error).message }, { cause })
  }
}

/** A body as curl's -d takes it: the text, `@file`, or `@-` for standard input. */
export async function readInput(data: string): Promise<Buffer<ArrayBuffer>> {
  if (!data.startsWith('@')) return Buffer.from(data)
  return Buffer.from(data === '@-' ? await buffer(process.stdin) : readFile(data.slice(1)))
}
