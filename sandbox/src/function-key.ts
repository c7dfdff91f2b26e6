import { createHash } from 'node:crypto'
import { canonicalJson, type ManifestFunction } from '@peerhost/protocol'
import type { SandboxFunction } from './types.ts'

const digests = new WeakMap<ManifestFunction, string>()

/** Of a whole manifest entry: whatever of it changes, jails made before must not serve. */
function definitionDigest(definition: ManifestFunction): string {
  let digest = digests.get(definition)
  if (!digest) {
    digest = createHash('sha256').update(canonicalJson(definition)).digest('hex').slice(0, 16)
    digests.set(definition, digest)
  }
  return digest
}

/** Names a function version: `owner/project/function@version#digest`. Jails are never shared across keys. */
export function functionKey({ owner, project, version, definition }: SandboxFunction): string {
  return `${owner.toLowerCase()}/${project}/${definition.name}@${version}#${definitionDigest(definition)}`
}
