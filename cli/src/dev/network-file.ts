import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type NetworkFile, PeerHostError } from '@peerhost/protocol'
import { makeFolder } from './make-folder.ts'

/** What a network keeps in its folder; nothing else there is ours to delete. */
const KEPT_NAMES = /^(chain\.json|gateway|worker-\d+)$/

const pathIn = (dataDir: string) => join(dataDir, 'network.json')

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.[0] !== 'Z'
  } catch {
    return false
  }
}

/**
 * Takes away the file of a network that ended without doing so; throws PH_DEV_ALREADY_RUNNING where it still runs, and
 * PH_CONFIG_INVALID where the folder cannot be written.
 */
export function claimDataDir(dataDir: string, { fresh = false } = {}): void {
  makeFolder(dataDir)
  const lock = join(dataDir, 'peerhost.pid')
  let holder = 0
  try {
    holder = Number(readFileSync(lock, 'utf8'))
  } catch {}
  if (holder > 0 && holder !== process.pid && isAlive(holder))
    throw new PeerHostError('PH_DEV_ALREADY_RUNNING', { folder: dataDir })
  writeFileSync(lock, String(process.pid))
  removeNetworkFile(dataDir)
  if (!fresh) return
  for (const name of readdirSync(dataDir)) {
    if (KEPT_NAMES.test(name)) rmSync(join(dataDir, name), { recursive: true, force: true })
  }
}

/** Writes the file whole: who sees it sees a network that is ready. */
export function writeNetworkFile(dataDir: string, network: NetworkFile): string {
  const path = pathIn(dataDir)
  writeFileSync(`${path}.new`, `${JSON.stringify(network, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
  return path
}

export const removeNetworkFile = (dataDir: string): void => rmSync(pathIn(dataDir), { force: true })

export function releaseDataDir(dataDir: string): void {
  removeNetworkFile(dataDir)
  rmSync(join(dataDir, 'peerhost.pid'), { force: true })
}
