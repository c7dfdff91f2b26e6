import { existsSync } from 'node:fs'
import path from 'node:path'
import { PeerHostError } from '@peerhost/protocol'
import type { PeerHostProvider } from '../provider.ts'
import { readStdin } from './read-stdin.ts'

/**
 * The event that `-d` or `-p` gives, else standard input, as JSON text: what is no JSON is a text, as it is all with `--raw`;
 * without any of them an empty object.
 *
 * @throws PH_FILE_UNREADABLE
 */
export async function readEvent({ options, serverless, utils }: PeerHostProvider): Promise<string> {
  const { data, path: file, raw } = options
  if (typeof file === 'string' && file) {
    const absolute = path.resolve(serverless.serviceDir, file)
    const unreadable = (detail: string) => new PeerHostError('PH_FILE_UNREADABLE', { file, detail })
    if (!existsSync(absolute)) throw unreadable('it does not exist')
    try {
      // JSON or YAML, by its ending
      return JSON.stringify(serverless.utils.readFileSync(absolute))
    } catch (cause) {
      throw unreadable((cause as Error).message)
    }
  }
  const given = data ?? (await readStdin({ onWait: (line) => utils.log.notice(line) }))
  if (given === undefined || given === '') return '{}'
  const text = String(given)
  if (raw) return JSON.stringify(text)
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return JSON.stringify(text)
  }
}

/** A result as Serverless prints it: indented JSON. */
export function showResult(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 4)
  } catch {
    return body
  }
}
