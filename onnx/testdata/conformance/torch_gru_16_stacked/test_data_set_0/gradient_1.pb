Bout.biasJ
òÛ?ah”¿