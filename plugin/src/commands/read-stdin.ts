import { fstatSync, type Stats } from 'node:fs'
import { PeerHostError } from '@peerhost/protocol'

/** Bytes; more than any gateway takes. */
const MAX_INPUT = 16 * 1024 * 1024
/** Milliseconds until the user is told what is waited for, and until an input without a first byte counts as none. */
const HINT = 1_000
const PATIENCE = 10_000

const statOf = (descriptor: number): Stats | undefined => {
  try {
    return fstatSync(descriptor)
  } catch {
    return undefined
  }
}

export interface ReadStdinOptions {
  /** Milliseconds. */
  hint?: number
  patience?: number
  /** Tells the user what is waited for. */
  onWait: (text: string) => void
}

/**
 * What a file, a pipe or a socket on standard input holds, as text; undefined from a terminal, `/dev/null` and the like. A pipe
 * that was only inherited may stay open for ever with nobody writing: after `patience` without a byte it counts as none. What has
 * begun is read to its end.
 *
 * @throws PH_FILE_UNREADABLE
 */
export async function readStdin({
  hint = HINT,
  patience = PATIENCE,
  onWait,
}: ReadStdinOptions): Promise<string | undefined> {
  const stat = statOf(0)
  if (!stat || !(stat.isFile() || stat.isFIFO() || stat.isSocket())) return undefined
  const input = process.stdin
  const seconds = patience / 1000
  const parts: Buffer[] = []
  let size = 0
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise<string | undefined>((resolve, reject) => {
      const refuse = (detail: string) =>
        reject(new PeerHostError('PH_FILE_UNREADABLE', { file: 'standard input', detail }))
      timer = setTimeout(() => {
        if (size > 0) return onWait('Reading the event from standard input until it ends')
        onWait(`Waiting for an event on standard input; without a byte in ${seconds} s it is empty (-d or -p give one)`)
        timer = setTimeout(() => {
          if (size === 0) resolve(undefined)
        }, patience - hint)
      }, hint)
      input.on('data', (part: Buffer) => {
        size += part.length
        parts.push(part)
        if (size > MAX_INPUT) refuse(`it has more than ${MAX_INPUT} bytes`)
      })
      input.once('end', () => resolve(size > 0 ? Buffer.concat(parts).toString() : undefined))
      input.once('error', (error) => refuse(error.message))
    })
  } finally {
    clearTimeout(timer)
    // an open pipe would keep the process from ending
    input.destroy()
  }
}
