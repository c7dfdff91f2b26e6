import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { findNode, findNsjail } from '@peerhost/sandbox'
import { FIXTURES } from '../lib/fixtures.ts'

const EVENT = JSON.stringify({ rawPath: '/hello' })

/** Shared libraries of a program, as its loader finds them. */
function librariesOf(program: string): string[] {
  const text = execFileSync('ldd', [program], { encoding: 'utf8' })
  return [...text.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!)
}

/** A new nsjail with a new Node for each request, with the same namespaces, and neither control groups nor seccomp. */
export function createFreshJails(): { call(): Promise<string>; close(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'peerhost-fresh-'))
  chmodSync(folder, 0o755) // the jail's own user reads it
  const root = join(folder, 'root')
  const node = findNode()
  const place = (from: string, to: string) => {
    mkdirSync(join(root, dirname(to)), { recursive: true })
    copyFileSync(from, join(root, to))
  }
  place(node, '/node')
  for (const library of librariesOf(node)) place(library, library)
  place(join(FIXTURES, 'peers/fresh.cjs'), '/app/fresh.cjs')
  place(join(FIXTURES, 'src/hello.js'), '/app/hello.js')
  for (const empty of ['tmp', 'dev']) mkdirSync(join(root, empty))
  writeFileSync(join(root, 'dev/null'), '')
  const ids = process.getuid!() === 0 ? '65534:100000' : '65534'
  const args = [
    ...[
      '--mode',
      'o',
      '--quiet',
      '--nice_level',
      '0',
      '--disable_proc',
      '--iface_no_lo',
      '--user',
      ids,
      '--group',
      ids,
    ],
    ...['--rlimit_as', 'inf', '--rlimit_fsize', '128', '--rlimit_nofile', '1024', '--time_limit', '10'],
    ...['--chroot', root, '--bindmount', '/dev/null', '--tmpfsmount', '/tmp', '--cwd', '/app'],
    ...['--', '/node', '/app/fresh.cjs'],
  ]
  const nsjail = findNsjail()
  return {
    call: () =>
      new Promise((resolve, reject) => {
        const child = spawn(nsjail, args, { env: {}, stdio: ['pipe', 'pipe', 'pipe'] })
        let [out, errors] = ['', '']
        child.stdout.on('data', (text) => {
          out += text
        })
        child.stderr.on('data', (text) => {
          errors += text
        })
        child.on('error', reject).on('close', (code) => {
          if (code === 0 && out) resolve(out)
          else reject(new Error(`a fresh jail ended with ${code}: ${errors}`))
        })
        child.stdin.on('error', () => {}).end(EVENT)
      }),
    close: () => rmSync(folder, { recursive: true, force: true }),
  }
}
