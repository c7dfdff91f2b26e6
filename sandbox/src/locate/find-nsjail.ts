import { accessSync, constants, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { PeerHostError } from '@peerhost/protocol'

const require = createRequire(import.meta.url)

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** The platform package that PeerHost publishes, where npm has installed it. */
function inPackage(): string | undefined {
  try {
    const manifest = require.resolve(`@peerhost/nsjail-linux-${process.arch}/package.json`)
    return join(dirname(manifest), 'nsjail/bin/nsjail')
  } catch {
    return undefined
  }
}

/** nsjail's path: $PEERHOST_NSJAIL, then PATH, then the platform package. Throws PH_SANDBOX_UNAVAILABLE. */
export function findNsjail(env: NodeJS.ProcessEnv = process.env): string {
  if (env.PEERHOST_NSJAIL) {
    if (isProgram(env.PEERHOST_NSJAIL)) return env.PEERHOST_NSJAIL
    throw new PeerHostError('PH_SANDBOX_UNAVAILABLE', {
      detail: `PEERHOST_NSJAIL names no program: ${env.PEERHOST_NSJAIL}`,
    })
  }
  const inPath = (env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, 'nsjail'))
  const found = [...inPath, inPackage()].find((path) => path !== undefined && isProgram(path))
  if (found) return found
  throw new PeerHostError('PH_SANDBOX_UNAVAILABLE', { detail: 'nsjail was not found' })
}
