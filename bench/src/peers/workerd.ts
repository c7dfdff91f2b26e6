import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { freePort, type Peer, startPeer } from './peer.ts'

const COMPATIBILITY_DATE = '2026-01-01'

const require = createRequire(import.meta.url)

/** The version of workerd that npm has installed. */
export const workerdVersion = (): string => (require('workerd/package.json') as { version: string }).version

/** The binary itself: the package's own command is a Node script in front of it. */
function findWorkerd(): string {
  const name = `@cloudflare/workerd-linux-${process.arch === 'x64' ? '64' : process.arch}/package.json`
  return join(dirname(createRequire(require.resolve('workerd/package.json')).resolve(name)), 'bin/workerd')
}

/**
 * workerd serving a bundle with a Fetch-style default export, the very bytes that PeerHost runs: the best latency known. It
 * reuses its isolate from one request to the next.
 */
export async function startWorkerd(bundle: Uint8Array, path: string): Promise<Peer> {
  const folder = mkdtempSync(join(tmpdir(), 'peerhost-workerd-'))
  const port = await freePort()
  writeFileSync(join(folder, 'bundle.cjs'), bundle)
  writeFileSync(join(folder, 'main.mjs'), "import bundle from 'bundle'\nexport default bundle.default\n")
  writeFileSync(
    join(folder, 'config.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [
      (name = "main", esModule = embed "main.mjs"),
      (name = "bundle", commonJsModule = embed "bundle.cjs"),
    ],
    compatibilityDate = "${COMPATIBILITY_DATE}",
    compatibilityFlags = ["nodejs_compat"],
  ))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`,
  )
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    const peer = await startPeer('workerd', port, path, findWorkerd(), ['serve', join(folder, 'config.capnp')])
    return {
      ...peer,
      async close() {
        await peer.close()
        remove()
      },
    }
  } catch (error) {
    remove()
    throw error
  }
}
