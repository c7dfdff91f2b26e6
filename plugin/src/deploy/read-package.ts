import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type Manifest, PeerHostError, sha256Hex, validateManifest, ZERO_ADDRESS } from '@peerhost/protocol'
import type { BuiltFunction } from './build-functions.ts'

/**
 * Reads what `serverless package` wrote, for `deploy --package DIR`: bundles and the entries they were made with.
 *
 * @throws PH_FILE_UNREADABLE, PH_MANIFEST_INVALID, PH_CONFIG_INVALID for another project's, PH_BUNDLE_DIGEST_MISMATCH
 */
export async function readPackage(dir: string, project: string): Promise<BuiltFunction[]> {
  const { importBytes } = await import('@peerhost/storage')
  const read = (name: string): Buffer => {
    try {
      return readFileSync(path.join(dir, name))
    } catch (cause) {
      throw new PeerHostError('PH_FILE_UNREADABLE', { file: path.join(dir, name), detail: (cause as Error).message })
    }
  }
  let summary: Pick<Manifest, 'project' | 'functions' | 'tools'>
  try {
    summary = JSON.parse(read('peerhost.json').toString())
  } catch (error) {
    if (error instanceof PeerHostError) throw error
    throw new PeerHostError('PH_MANIFEST_INVALID', { detail: 'peerhost.json is not JSON' })
  }
  const { functions } = validateManifest({ schema: 'peerhost/manifest/1', owner: ZERO_ADDRESS, ...summary })
  if (summary.project !== project) {
    throw new PeerHostError('PH_CONFIG_INVALID', {
      detail: `the package is of project "${summary.project}", not "${project}"`,
    })
  }
  return Promise.all(
    functions.map(async (entry) => {
      const bytes = read(`${entry.name}.js`)
      const actual = sha256Hex(bytes)
      if (actual !== entry.codeDigest)
        throw new PeerHostError('PH_BUNDLE_DIGEST_MISMATCH', { expected: entry.codeDigest, actual })
      return { entry, bytes, file: await importBytes(bytes), sources: [] }
    }),
  )
}
