import { accessSync, constants } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { PeerHostError } from '@peerhost/protocol'

const require = createRequire(import.meta.url)

/** Path of the pinned Node that functions run on. Throws PH_SANDBOX_UNAVAILABLE where its package is not installed. */
export function findNode(): string {
  try {
    const path = join(dirname(require.resolve(`node-linux-${process.arch}/package.json`)), 'bin/node')
    accessSync(path, constants.X_OK)
    return path
  } catch (cause) {
    const detail = `the npm package node-linux-${process.arch} is not installed`
    throw new PeerHostError('PH_SANDBOX_UNAVAILABLE', { detail }, { cause })
  }
}
