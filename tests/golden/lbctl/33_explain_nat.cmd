explain nat
