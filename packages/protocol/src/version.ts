/** The version of this software, said in joins and by `dsm --version`. */
export const softwareVersion = "0.2.0";
