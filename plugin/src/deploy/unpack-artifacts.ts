import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { PeerHostError } from '@peerhost/protocol'
import type { Serverless } from '../serverless-types.ts'
import { unzip } from './unzip.ts'

/** Bytes of an artifact once unpacked. */
const MAX_UNPACKED = 256 * 1024 * 1024

/**
 * Unpacks the zips that `package.artifact` names, be it by hand or by a plugin such as serverless-webpack, each into a folder
 * of its own: the handler is then bundled from there.
 *
 * @throws PH_BUNDLE_FAILED
 */
export async function unpackArtifacts(
  { service, serviceDir }: Serverless,
  names: string[],
  scratch: string,
): Promise<Map<string, string>> {
  const folders = new Map<string, string>()
  const unpacked = new Map<string, string>()
  for (const name of names) {
    const own = service.functions[name]?.package as { artifact?: string; individually?: boolean } | undefined
    const artifact = own?.artifact ?? (service.package.artifact as string | undefined)
    if (!artifact) continue
    const file = path.resolve(serviceDir, artifact)
    const failed = (detail: string) => new PeerHostError('PH_BUNDLE_FAILED', { function: name, detail })
    if (!existsSync(file)) throw failed(`there is no artifact ${artifact}`)
    let dir = unpacked.get(file)
    if (!dir) {
      dir = path.join(scratch, String(unpacked.size))
      try {
        await unzip(readFileSync(file), dir, MAX_UNPACKED)
      } catch (cause) {
        throw failed(`the artifact ${artifact} cannot be unpacked: ${(cause as Error).message}`)
      }
      unpacked.set(file, dir)
    }
    folders.set(name, dir)
  }
  return folders
}
