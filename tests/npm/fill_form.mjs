// Fills in an answer form with pdf-lib as a school's program would: fill_form.mjs SENT.pdf FILLED.pdf
import { readFile, writeFile } from 'node:fs/promises'
import { PDFDocument } from 'pdf-lib'

const [sent, filled] = process.argv.slice(2)
const pdf = await PDFDocument.load(await readFile(sent))
const form = pdf.getForm()
form.getTextField('ROLL-FROM').setText('04/09/2019')
form.getTextField('ANSWERED-BY').setText('Jane Smith, DSL')
for (const box of ['STILL-ON-ROLL', 'NO-PREVIOUS-SCHOOL', 'RECORDS-NO']) form.getCheckBox(box).check()
await writeFile(filled, await pdf.save())
