import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { PeerHostError } from '@peerhost/protocol'

/**
 * Makes a `--data` folder, for its owner alone, with those above it, one at a time: below `/proc` Node's own recursive mkdir never
 * comes to an end.
 *
 * @throws PH_CONFIG_INVALID where it cannot be made or written
 */
export function makeFolder(folder: string): void {
  try {
    const missing: string[] = []
    for (let at = folder; !statSync(at, { throwIfNoEntry: false }); at = dirname(at)) missing.unshift(at)
    for (const at of missing) mkdirSync(at, { mode: 0o700 })
    if (!statSync(folder).isDirectory()) throw new Error('it is a file')
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (cause) {
    const detail = `--data ${folder} is no folder that can be written: ${(cause as Error).message}`
    throw new PeerHostError('PH_CONFIG_INVALID', { detail }, { cause })
  }
}
